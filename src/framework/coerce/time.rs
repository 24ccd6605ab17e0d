//! Instants.

use serde_json::Value;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::CoercionError;
use super::number;

const EXPECTED: &str = "a time, in RFC 3339 such as 2026-01-31T12:00:00Z or in seconds since 1970";

/// RFC 3339 or unix seconds, in UTC.
pub(super) fn time(value: &Value) -> Result<OffsetDateTime, CoercionError> {
    match value {
        Value::Number(number) => from_unix(number::whole(number)),
        Value::String(text) => from_unix(text.parse().ok())
            .or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok())
            .and_then(|time| time.checked_to_offset(UtcOffset::UTC)),
        _ => None,
    }
    .ok_or_else(|| CoercionError::of(EXPECTED, value))
}

fn from_unix(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}
