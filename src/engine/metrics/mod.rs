//! What is counted as it happens, for `metrics`.  Nothing here is secret, no label is a client id, and none can be made to grow without
//! bound.

mod counters;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::proto::MetricFamily;
use time::OffsetDateTime;
use tokio::time::Instant;

pub(super) use counters::Counted;

use super::error::Error;
use super::error::Fault;
use crate::astra::Observer;
use counters::Counters;

/// The metrics of one mount on this node, since the process began.
pub(crate) struct Metrics {
    /// `None` if the definitions of the families contradict each other, which a test would see.
    counters: Option<Counters>,
    last_tick: Mutex<Option<LastTick>>,
    last_read: Mutex<Option<Instant>>,
}

/// The newest tick of the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastTick {
    /// When it ended.
    pub ended_at: OffsetDateTime,
    /// How long it took.
    pub took: Duration,
}

/// Counts one config's requests.
struct OfConfig {
    metrics: Arc<Metrics>,
    config: String,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new() -> Self {
        let counters = Counters::new()
            .inspect_err(|error| tracing::error!(%error, "metrics are defined wrong"))
            .ok();
        Self {
            counters,
            last_tick: Mutex::default(),
            last_read: Mutex::default(),
        }
    }

    /// Counts an operation for a role of a config.
    pub(crate) fn count<T>(
        &self,
        counted: Counted,
        config: &str,
        role: &str,
        result: &Result<T, Error>,
    ) {
        let fault: Option<Fault> = result.as_ref().err().map(Error::fault);
        if let (Some(counters), Some(outcome)) = (&self.counters, counters::outcome(fault)) {
            counters.operation(counted, config, role, outcome);
        }
    }

    /// Counts a tick of the host that took so long.
    pub(crate) fn ticked<T>(
        &self,
        ended_at: OffsetDateTime,
        took: Duration,
        result: &Result<T, Error>,
    ) {
        *self.last_tick.lock() = Some(LastTick { ended_at, took });
        let fault = result.as_ref().err().map(Error::fault);
        if let (Some(counters), Some(outcome)) = (&self.counters, counters::outcome(fault)) {
            counters.tick(outcome);
        }
    }

    /// The newest tick.
    pub(crate) fn last_tick(&self) -> Option<LastTick> {
        *self.last_tick.lock()
    }

    /// Metrics are read now.
    pub(crate) fn read_now(&self) {
        *self.last_read.lock() = Some(Instant::now());
    }

    /// Whether metrics were read so short a time ago.
    pub(crate) fn was_read_within(&self, time: Duration) -> bool {
        self.last_read
            .lock()
            .is_some_and(|read| read.elapsed() <= time)
    }

    /// The families of what was counted.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        let counters = self.counters.as_ref();
        counters
            .map(|counters| counters.registry.gather())
            .unwrap_or_default()
    }

    /// What counts the requests of `config`.
    pub(crate) fn observer(self: &Arc<Self>, config: &str) -> Arc<dyn Observer> {
        Arc::new(OfConfig {
            metrics: Arc::clone(self),
            config: config.to_owned(),
        })
    }
}

impl Observer for OfConfig {
    fn attempted(
        &self,
        call: &'static str,
        failure: Option<&'static str>,
        is_retry: bool,
        took: Duration,
    ) {
        if let Some(counters) = &self.metrics.counters {
            counters.attempt(&self.config, call, failure.unwrap_or("ok"), is_retry, took);
        }
    }

    fn waited(&self, time: Duration) {
        if let Some(counters) = &self.metrics.counters {
            counters.wait(&self.config, time);
        }
    }
}
