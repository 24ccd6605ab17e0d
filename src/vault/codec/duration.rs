//! Durations and instants as the wire has them.

use std::time::Duration;

use prost_types::Timestamp;
use time::OffsetDateTime;

/// Nanoseconds on the wire; negative ones mean "none" and come out as zero.
pub(super) fn decode_duration(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

/// Nanoseconds for the wire; what does not fit (292 years) is as long as it gets.
pub(super) fn encode_duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The instant, unless it is absent, out of range, or the year 1 with which hosts say "none".
pub(super) fn decode_instant(timestamp: Option<Timestamp>) -> Option<OffsetDateTime> {
    let timestamp = timestamp?;
    let instant = OffsetDateTime::from_unix_timestamp(timestamp.seconds).ok()?;
    let instant = instant
        .replace_nanosecond(u32::try_from(timestamp.nanos).ok()?)
        .ok()?;
    (instant.year() > 1).then_some(instant)
}

/// The instant in the range that hosts accept: years 1 to 9999.
pub(super) fn encode_instant(instant: OffsetDateTime) -> Timestamp {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    Timestamp {
        seconds: instant.unix_timestamp().clamp(FIRST, LAST),
        nanos: i32::try_from(instant.nanosecond()).unwrap_or_default(),
    }
}
