//! The next tick of the host, seen by three witnesses: the engine itself, Vault, and Astra.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use std::time::Instant;

use harness::Api;
use harness::Server;
use serde_json::Value;

use crate::emulator::Emulator;

/// How long one tick took.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    /// By the engine's own metric, in seconds.
    pub(crate) engine_s: f64,
    /// What Vault waited for the engine's answer, in seconds.
    pub(crate) vault_s: f64,
    /// At most so long it was from the first request until the last answer was ready to be sent, in
    /// seconds; `None` without a request.
    pub(crate) astra_s: Option<f64>,
    /// Requests to Astra, by method and path.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Whether the engine says that it did all of its work.
    pub(crate) is_ok: bool,
}

/// A tick begins each minute and may last nearly as long.
const TIMEOUT: Duration = Duration::from_secs(150);
/// Vault shows a measurement at the latest so long after it was made: it shows the last whole ten seconds.
const SHOWN_AFTER: Duration = Duration::from_secs(22);
/// Vault's own measurement of a tick: all mounts together, of which this one takes longest.
const VAULT_METRIC: &str = "vault.rollback.attempt";

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            engine_s, vault_s, ..
        } = self;
        write!(f, "{engine_s:.3} s, by Vault {vault_s:.3} s, by Astra ")?;
        match self.astra_s {
            Some(astra_s) => write!(f, "{astra_s:.3} s ({:?})", self.requests)?,
            None => write!(f, "no request")?,
        }
        if !self.is_ok {
            write!(f, ", NOT ALL DONE")?;
        }
        Ok(())
    }
}

/// Waits until the next tick has ended.  No one else may use the emulator meanwhile.
pub(crate) async fn next(server: &Server, emulator: &Emulator) -> Tick {
    let api = server.api();
    let before = Metrics::read(&api).await;
    let shown_before = VaultMetric::read(&api).await.shown_at;
    let (requests_before, _) = emulator.requests().await;
    let (begin, mut read) = (Instant::now(), Instant::now());
    // From the last look before the first request to the first look when no answer was being made.
    let (mut idle, mut active) = (Instant::now(), None);
    let mut was_running = false;
    let after = loop {
        let (requests, running) = emulator.requests().await;
        let now = Instant::now();
        if requests == requests_before {
            idle = now;
        } else if running > 0 || was_running || active.is_none() {
            active = Some(now - idle);
        }
        was_running = running > 0;
        if running == 0 && read.elapsed() > Duration::from_millis(500) {
            let now = Metrics::read(&api).await;
            if now.ended_at != before.ended_at {
                break now;
            }
            read = Instant::now();
        }
        assert!(begin.elapsed() < TIMEOUT, "no tick within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let requests = emulator.requests_since(requests_before).await;
    Tick {
        engine_s: after.took_s,
        vault_s: vault(&api, &shown_before).await,
        astra_s: active.map(|span| span.as_secs_f64()),
        requests,
        is_ok: after.ok_ticks > before.ok_ticks,
    }
}

/// The longest call of the tick that has just ended, once Vault has shown all of it.  The calls of other
/// mounts may have ended, and been shown, long before.
async fn vault(api: &Api, shown_before: &str) -> f64 {
    let (begin, mut longest_ms) = (Instant::now(), 0.0);
    while begin.elapsed() < SHOWN_AFTER {
        let shown = VaultMetric::read(api).await;
        if *shown.shown_at > *shown_before {
            longest_ms = f64::max(longest_ms, shown.max_ms.unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        longest_ms > 0.0,
        "Vault shows no {VAULT_METRIC} of the tick"
    );
    longest_ms / 1e3
}

/// The newest interval of Vault's own metrics.
struct VaultMetric {
    /// When the interval began, as text that sorts by time.
    shown_at: String,
    max_ms: Option<f64>,
}

impl VaultMetric {
    async fn read(api: &Api) -> Self {
        let shown = api.read("sys/metrics").await.ok();
        let samples = shown["Samples"].as_array().cloned().unwrap_or_default();
        let sample = samples.iter().find(|one| one["Name"] == VAULT_METRIC);
        Self {
            shown_at: shown["Timestamp"].as_str().unwrap_or_default().to_owned(),
            max_ms: sample.and_then(|one| one["Max"].as_f64()),
        }
    }
}

/// What the engine's metrics say of ticks.
struct Metrics {
    /// When the newest ended, as text.
    ended_at: String,
    took_s: f64,
    /// How many have done all of their work.
    ok_ticks: u64,
}

impl Metrics {
    async fn read(api: &Api) -> Self {
        let Value::String(text) = api.read("astra/metrics").await.ok() else {
            panic!("metrics are text");
        };
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().map(|rest| rest.trim().to_owned())
        };
        let took = value("astra_last_tick_duration_seconds ");
        let ok = value("astra_ticks_total{outcome=\"ok\"} ");
        Self {
            ended_at: value("astra_last_tick_timestamp_seconds ").unwrap_or_default(),
            took_s: took.map_or(0.0, |text| text.parse().expect("a number")),
            ok_ticks: ok.map_or(0, |text| text.parse().expect("a number")),
        }
    }
}
