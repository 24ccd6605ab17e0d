//! The name of the config that a request is for.

use crate::engine::connection::DEFAULT;
use crate::framework::Call;

/// The field of the path.
pub(super) const NAME: &str = "name";

/// The name; `config` alone is for the default config.
pub(super) fn name_of(call: &Call) -> String {
    // `config` alone has no name field.
    if call.request.path.trim_end_matches('/') == "config" {
        return DEFAULT.to_owned();
    }
    call.fields
        .string(NAME)
        .unwrap_or_else(|| DEFAULT.to_owned())
}
