//! What time it is.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use time::Duration;
use time::OffsetDateTime;

/// The engine's clock, by which rotations fall due: the system's, which tests can set forward.
#[derive(Default)]
pub(crate) struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    /// Now, in UTC.
    pub(crate) fn now(&self) -> OffsetDateTime {
        now_utc() + Duration::seconds(self.ahead.load(Ordering::Relaxed))
    }

    /// Sets the clock forward.
    #[cfg(test)]
    pub fn advance(&self, time: std::time::Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// This node's time, in UTC.
pub(super) fn now_utc() -> OffsetDateTime {
    #[cfg(test)]
    if let Some(now) = simulated::now() {
        return now;
    }
    OffsetDateTime::now_utc()
}

/// The clock of a simulated node, which runs with the time of the runtime.
#[cfg(test)]
pub mod simulated {
    use std::cell::Cell;

    use time::Duration;
    use time::OffsetDateTime;
    use tokio::time::Instant;

    thread_local! {
        static CLOCK: Cell<Option<(OffsetDateTime, Instant)>> = const { Cell::new(None) };
    }

    /// The time of this thread's simulation, if one runs.
    pub fn now() -> Option<OffsetDateTime> {
        let (base, since) = CLOCK.get()?;
        let elapsed = Duration::try_from(since.elapsed()).unwrap_or(Duration::MAX);
        Some(base.saturating_add(elapsed))
    }

    /// Sets the clock; `None` is that of the machine.
    pub fn set(now: Option<OffsetDateTime>) {
        CLOCK.set(now.map(|now| (now, Instant::now())));
    }
}
