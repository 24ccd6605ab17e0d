//! The name of the role that a request is for.

use crate::framework::Call;

/// The field of the path.
pub(super) const NAME: &str = "name";

/// The name.
pub(super) fn name_of(call: &Call) -> String {
    call.fields.string(NAME).unwrap_or_default()
}
