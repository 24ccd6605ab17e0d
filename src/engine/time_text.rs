//! How times are written in answers and messages.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in whole seconds and UTC; empty where there is no time.
pub(super) fn time_text(time: Option<OffsetDateTime>) -> String {
    time.map(|time| time.to_offset(time::UtcOffset::UTC))
        .and_then(|time| time.replace_nanosecond(0).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
