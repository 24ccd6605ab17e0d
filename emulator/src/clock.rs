//! The virtual clock: it runs at the machine's speed, or at that of a paused runtime, and can be moved.

use std::time::Duration;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::time::Instant;

use crate::error::Error;

/// Keeps the arithmetic of durations within bounds.
const MAX_RATE: f64 = 1_000_000.0;

/// Time as the emulated service sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: OffsetDateTime,
    since: Instant,
    /// Seconds that pass on it in one second of the machine.
    rate: f64,
}

impl Clock {
    /// A clock that shows `start` now, or the machine's time.
    pub(crate) fn new(start: Option<OffsetDateTime>) -> Self {
        Self {
            base: start.unwrap_or_else(OffsetDateTime::now_utc),
            since: Instant::now(),
            rate: 1.0,
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        later(self.base, self.since.elapsed().mul_f64(self.rate))
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Runs `rate` times as fast as the machine's clock from now on; 0 stops it.
    pub(crate) fn set_rate(&mut self, rate: f64) -> Result<(), Error> {
        if !(0.0..=MAX_RATE).contains(&rate) {
            return Err(Error::Invalid(format!(
                "the clock's rate is from 0 to {MAX_RATE}, not {rate}"
            )));
        }
        self.set(self.now());
        self.rate = rate;
        Ok(())
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.base = later(self.base, by);
    }

    /// Shows `at` from now on.
    pub(crate) fn set(&mut self, at: OffsetDateTime) {
        self.base = at;
        self.since = Instant::now();
    }
}

/// `at` plus `by`, at most the end of the calendar.
pub(crate) fn later(at: OffsetDateTime, by: Duration) -> OffsetDateTime {
    at.saturating_add(time::Duration::try_from(by).unwrap_or(time::Duration::MAX))
}

/// `at` minus `by`, at least the start of the calendar.
pub(crate) fn earlier(at: OffsetDateTime, by: Duration) -> OffsetDateTime {
    at.saturating_sub(time::Duration::try_from(by).unwrap_or(time::Duration::MAX))
}

const MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const COMPACT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// RFC 3339 with as many fraction digits as needed, as create answers have it.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}

/// RFC 3339 with milliseconds, as list answers have it.
pub(crate) fn millis(at: OffsetDateTime) -> String {
    at.format(MILLIS).unwrap_or_default()
}

/// The format of the `date` and `retry-after` headers.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    // The format has four digits for the year, and httpdate panics outside 1970 to 9999.
    let seconds = at.unix_timestamp().clamp(0, 253_402_300_799);
    let since_epoch = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_epoch)
}

/// The format of `X-Amz-Date` in a pre-signed URL.
pub(crate) fn compact(at: OffsetDateTime) -> String {
    at.format(COMPACT).unwrap_or_default()
}
