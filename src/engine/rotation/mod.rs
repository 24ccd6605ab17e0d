//! Replacing tokens that the mount itself keeps: what root tokens and static roles have in common,
//! and the rotation of root tokens.

mod error;
mod failures;
mod paths;
mod propagation;
pub mod root;
mod root_spec;
#[cfg(test)]
mod tests;
mod tick;
mod uncertain_write;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::framework::Field;

pub use failures::Failures;
pub use paths::paths;
pub use propagation::PropagationBackoff;
pub use tick::tick;
pub use uncertain_write::UncertainWrites;
pub use uncertain_write::WriteOutcome;
pub use uncertain_write::decide;

/// Shows when the next rotation is due and what came of the last try.
pub fn show(
    next: Option<OffsetDateTime>,
    failures: Option<Failures>,
    data: &mut Map<String, Value>,
) {
    let retry = failures.as_ref().map(|failures| failures.retry_at);
    data.insert(
        "next_rotation".into(),
        time_text(next.map(|next| retry.map_or(next, |retry| next.max(retry)))).into(),
    );
    let last_error = failures.map(|failures| failures.last_error);
    data.insert("last_error".into(), last_error.unwrap_or_default().into());
}

/// The fields that [`show`] adds.
pub fn shown() -> [Field; 2] {
    [
        Field::string(
            "next_rotation",
            "When the next rotation is due, or the next try while it fails. Empty without a schedule.",
        )
        .required(),
        Field::string(
            "last_error",
            "Why the last rotation failed. Empty when it did not.",
        )
        .required(),
    ]
}

/// RFC 3339 in whole seconds and UTC; empty where there is no time.
pub fn time_text(time: Option<OffsetDateTime>) -> String {
    time.map(|time| time.to_offset(time::UtcOffset::UTC))
        .and_then(|time| time.replace_nanosecond(0).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
