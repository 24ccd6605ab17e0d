//! What a write says about one field of something that may exist already.

use crate::framework::Fields;

/// The field's new value: what was sent, else what is stored, else the default.  A sent null (in a
/// merge patch) brings the default back.
pub fn merge_field<T>(
    fields: &Fields,
    name: &'static str,
    read: impl FnOnce(&Fields, &str) -> Option<T>,
    stored: Option<T>,
    default: impl FnOnce() -> T,
) -> T {
    if fields.was_sent(name) {
        read(&fields.sent(), name).unwrap_or_else(default)
    } else {
        stored.unwrap_or_else(default)
    }
}
