//! What time it is.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use time::Duration;
use time::OffsetDateTime;

/// The engine's clock, by which rotations fall due: the system's, which tests can set forward.
#[derive(Default)]
pub struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    /// Now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::seconds(self.ahead.load(Ordering::Relaxed))
    }

    /// Sets the clock forward.
    #[cfg(test)]
    pub fn advance(&self, time: std::time::Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }
}
