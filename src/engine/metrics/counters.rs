//! What is counted as it happens.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::CounterVec;
use prometheus::HistogramOpts;
use prometheus::HistogramVec;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;

use crate::engine::error::Fault;

/// So many roles have series of their own; what is minted for others is counted together, so that anyone who
/// may write roles cannot make the process grow without bound.
const MOST_LABELS: usize = 200;

/// What stands for the names beyond.
const OTHER: &str = "(other)";

/// From a quick answer to the longest that one attempt may take.
const BUCKETS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The families of one mount's counters.
pub(super) struct Counters {
    pub(super) registry: Registry,
    mints: IntCounterVec,
    renewals: IntCounterVec,
    revocations: IntCounterVec,
    rotations: IntCounterVec,
    requests: IntCounterVec,
    durations: HistogramVec,
    retries: IntCounterVec,
    waits: CounterVec,
    ticks: IntCounterVec,
    names: Mutex<HashSet<String>>,
}

/// What an operation of the mount does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counted {
    /// A credential is minted.
    Mint,
    /// A lease is renewed.
    Renewal,
    /// A lease's token is deleted.
    Revocation,
    /// A root token is replaced.
    RootRotation,
    /// A static role's token is replaced.
    StaticRotation,
}

impl Counters {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let family = |name: &str, help: &str, labels: &[&str]| {
            let family = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(family.clone()))?;
            Ok::<_, prometheus::Error>(family)
        };
        let by_role = ["config", "role", "outcome"];
        let mints = family(
            "astra_mints_total",
            "Credentials asked for, by what came of it.",
            &by_role,
        )?;
        let renewals = family(
            "astra_renewals_total",
            "Renewals of leases, by what came of it.",
            &by_role,
        )?;
        let revocations = family(
            "astra_revocations_total",
            "Revocations of leases, by what came of it.",
            &by_role,
        )?;
        let rotations = family(
            "astra_rotations_total",
            "Rotations of root tokens (kind root) and static roles (kind static), by what came of \
             it.",
            &["config", "kind", "role", "outcome"],
        )?;
        let requests = family(
            "astra_upstream_requests_total",
            "Attempts of requests to Astra; class is ok or the kind of failure.",
            &["config", "call", "class"],
        )?;
        let retries = family(
            "astra_upstream_retries_total",
            "Attempts of requests to Astra after the first.",
            &["config", "call"],
        )?;
        let ticks = family(
            "astra_ticks_total",
            "Ticks of the host, by what came of it.",
            &["outcome"],
        )?;
        let durations = durations(&registry)?;
        let waits = waits(&registry)?;
        Ok(Self {
            registry,
            mints,
            renewals,
            revocations,
            rotations,
            requests,
            durations,
            retries,
            waits,
            ticks,
            names: Mutex::default(),
        })
    }

    /// `name` as a label.
    pub(super) fn label<'a>(&self, name: &'a str) -> &'a str {
        let mut names = self.names.lock();
        if names.contains(name) {
            return name;
        }
        if names.len() < MOST_LABELS {
            names.insert(name.to_owned());
            return name;
        }
        OTHER
    }

    pub(super) fn operation(&self, counted: Counted, config: &str, role: &str, outcome: &str) {
        let (config, role) = (self.label(config), self.label(role));
        let labels = [config, role, outcome];
        match counted {
            Counted::Mint => self.mints.with_label_values(&labels),
            Counted::Renewal => self.renewals.with_label_values(&labels),
            Counted::Revocation => self.revocations.with_label_values(&labels),
            Counted::RootRotation => self
                .rotations
                .with_label_values(&[config, "root", "", outcome]),
            Counted::StaticRotation => self
                .rotations
                .with_label_values(&[config, "static", role, outcome]),
        }
        .inc();
    }

    pub(super) fn attempt(
        &self,
        config: &str,
        call: &str,
        class: &str,
        is_retry: bool,
        took: Duration,
    ) {
        let config = self.label(config);
        self.requests
            .with_label_values(&[config, call, class])
            .inc();
        self.durations
            .with_label_values(&[config, call])
            .observe(took.as_secs_f64());
        // Counted from the start, so that the first retry is an increase.
        self.retries
            .with_label_values(&[config, call])
            .inc_by(u64::from(is_retry));
    }

    pub(super) fn wait(&self, config: &str, time: Duration) {
        self.waits
            .with_label_values(&[self.label(config)])
            .inc_by(time.as_secs_f64());
    }

    pub(super) fn tick(&self, outcome: &str) {
        self.ticks.with_label_values(&[outcome]).inc();
    }
}

fn durations(registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(
        "astra_upstream_request_duration_seconds",
        "How long attempts of requests to Astra took.",
    );
    let family = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["config", "call"])?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

fn waits(registry: &Registry) -> Result<CounterVec, prometheus::Error> {
    let options = Opts::new(
        "astra_upstream_permit_wait_seconds_total",
        "Time that requests waited because max_concurrent_requests others ran.",
    );
    let family = CounterVec::new(options, &["config"])?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// The word for what came of an operation; `None` where it is another node's to do.
pub(super) fn outcome(fault: Option<Fault>) -> Option<&'static str> {
    Some(match fault {
        None => "ok",
        Some(Fault::Caller | Fault::Missing) => "refused",
        Some(Fault::Astra) => "astra",
        Some(Fault::Overload) => "overload",
        Some(Fault::Timeout) => "timeout",
        Some(Fault::Engine) => "engine",
        Some(Fault::ReadOnly) => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_share_a_label() {
        let counters = Counters::new().unwrap();
        for number in 0..10 * MOST_LABELS {
            counters.operation(Counted::Mint, "default", &format!("role-{number}"), "ok");
        }
        let families = counters.registry.gather();
        let mints = families
            .iter()
            .find(|family| family.name() == "astra_mints_total")
            .unwrap();
        // One of the names is the config's.
        assert_eq!(mints.get_metric().len(), MOST_LABELS);
        assert_eq!(counters.label("default"), "default");
        assert_eq!(counters.label("never-seen"), OTHER);
    }
}
