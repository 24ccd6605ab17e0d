//! What is looked up when metrics are read.

use prometheus::GaugeVec;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::proto::MetricFamily;
use time::OffsetDateTime;

use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::metrics::LastTick;
use crate::engine::registry::Loaded;

/// The families of one reading.
struct Gauges {
    registry: Registry,
}

impl Gauges {
    fn set(&self, name: &str, help: &str, rows: &[(&str, f64)]) -> Result<(), prometheus::Error> {
        let family = GaugeVec::new(Opts::new(name, help), &["config"])?;
        self.registry.register(Box::new(family.clone()))?;
        for (config, value) in rows {
            family.with_label_values(&[config]).set(*value);
        }
        Ok(())
    }

    fn count(&self, name: &str, help: &str, rows: &[(&str, u64)]) -> Result<(), prometheus::Error> {
        let family = IntCounterVec::new(Opts::new(name, help), &["config"])?;
        self.registry.register(Box::new(family.clone()))?;
        for (config, value) in rows {
            family.with_label_values(&[config]).inc_by(*value);
        }
        Ok(())
    }

    fn single(&self, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
        let gauge = prometheus::Gauge::with_opts(Opts::new(name, help))?;
        gauge.set(value);
        self.registry.register(Box::new(gauge))
    }
}

/// The families as they are now.  Asks no one but the host's storage.
pub(super) async fn gather(engine: &Engine) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let may_write = engine.host.may_write_recently().await;
    let loaded = engine.configs.load_all().await.unwrap_or_default();
    let connections: Vec<_> = loaded
        .into_iter()
        .filter_map(|(_, loaded)| match loaded {
            Loaded::Valid(connection) => Some(connection),
            Loaded::Corrupt(_) | Loaded::Missing => None,
        })
        .collect();
    let gauges = Gauges {
        registry: Registry::new(),
    };
    of_configs(&gauges, engine, &connections)?;
    of_intents(&gauges, &connections, may_write)?;
    of_process(&gauges, may_write, engine.metrics.last_tick())?;
    Ok(gauges.registry.gather())
}

fn of_configs(
    gauges: &Gauges,
    engine: &Engine,
    connections: &[std::sync::Arc<Connection>],
) -> Result<(), prometheus::Error> {
    let now = engine.clock.now();
    let rows = |value: &dyn Fn(&Connection) -> Option<f64>| -> Vec<(&str, f64)> {
        connections
            .iter()
            .filter_map(|one| Some((one.name.as_str(), value(one)?)))
            .collect()
    };
    gauges.set(
        "astra_root_token_age_seconds",
        "How long the config has had its root token.",
        &rows(&|one| Some((now - one.entry.token_set_at).as_seconds_f64().max(0.0))),
    )?;
    gauges.set(
        "astra_root_token_expiry_timestamp_seconds",
        "When Astra ends the root token, as the last list of tokens had it; absent where it does \
         not.",
        &rows(&|one| Some(unix(one.health.seen()?.root_expiry?))),
    )?;
    gauges.set(
        "astra_next_root_rotation_timestamp_seconds",
        "When the root token is rotated next; absent without a schedule.",
        &rows(&|one| Some(unix(one.entry.next_rotation()?))),
    )?;
    // Without descriptions a count of 0 would say that there are none.
    let counted = |one: &Connection| one.health.seen().filter(|_| !one.ignores_description());
    gauges.set(
        "astra_live_lease_tokens",
        "Live tokens under leases, at the last list of tokens.",
        &rows(&|one| Some(counted(one)?.leased as f64)),
    )?;
    gauges.set(
        "astra_live_static_role_tokens",
        "Live tokens of static roles, at the last list of tokens.",
        &rows(&|one| Some(counted(one)?.of_static_roles as f64)),
    )?;
    gauges.set(
        "astra_token_list_age_seconds",
        "How long ago the tokens were last counted.",
        &rows(&|one| Some(one.health.seen()?.at.elapsed().as_secs_f64())),
    )?;
    gauges.set(
        "astra_last_error_timestamp_seconds",
        "When a request to Astra last failed since the process began.",
        &rows(&|one| Some(unix(one.health.failed_at()?))),
    )
}

fn of_intents(
    gauges: &Gauges,
    connections: &[std::sync::Arc<Connection>],
    may_write: bool,
) -> Result<(), prometheus::Error> {
    let counts: Vec<_> = connections
        .iter()
        .map(|one| (one.name.as_str(), one.ledger.counts()))
        .collect();
    let open: Vec<_> = counts
        .iter()
        .map(|(name, one)| (*name, one.open as f64))
        .collect();
    gauges.set("astra_intents_open", "Mints that run now.", &open)?;
    // Only a node that may write knows.
    let pending: Vec<_> = counts
        .iter()
        .filter(|_| may_write)
        .map(|(name, one)| (*name, one.pending as f64))
        .collect();
    gauges.set(
        "astra_intents_pending",
        "Mints whose token may exist although it was not received; ticks look for them.",
        &pending,
    )?;
    let lost: Vec<_> = counts.iter().map(|(name, one)| (*name, one.lost)).collect();
    gauges.count(
        "astra_intents_lost_total",
        "Mints whose outcome was lost.",
        &lost,
    )?;
    let cleared: Vec<_> = counts
        .iter()
        .map(|(name, one)| (*name, one.cleared))
        .collect();
    gauges.count(
        "astra_intents_cleared_total",
        "Lost mints that were cleared up.",
        &cleared,
    )
}

fn of_process(
    gauges: &Gauges,
    may_write: bool,
    last_tick: Option<LastTick>,
) -> Result<(), prometheus::Error> {
    let build = GaugeVec::new(
        Opts::new("astra_build_info", "The plugin's version."),
        &["version"],
    )?;
    build
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1.0);
    gauges.registry.register(Box::new(build))?;
    gauges.single(
        "astra_may_write",
        "1 on the node that mints, rotates and clears up, 0 on a standby.",
        f64::from(u8::from(may_write)),
    )?;
    if let Some(LastTick { ended_at, took }) = last_tick {
        gauges.single(
            "astra_last_tick_timestamp_seconds",
            "When the host's last tick ended.",
            unix(ended_at),
        )?;
        gauges.single(
            "astra_last_tick_duration_seconds",
            "How long the host's last tick took.",
            took.as_secs_f64(),
        )?;
    }
    match resident_bytes() {
        Some(bytes) => gauges.single(
            "process_resident_memory_bytes",
            "Resident memory of the plugin's process, all its mounts together.",
            bytes,
        ),
        None => Ok(()),
    }
}

fn unix(time: OffsetDateTime) -> f64 {
    time.unix_timestamp() as f64
}

/// By hand, as it is one line of one file on Linux; elsewhere it is not told.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0)
}
