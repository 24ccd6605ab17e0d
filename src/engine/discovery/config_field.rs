//! The field that names the config, the same for all paths.

use crate::framework::Field;

/// Its name.
pub(super) const CONFIG: &str = "config";

/// The field.
pub(super) fn config_field() -> Field {
    Field::name(CONFIG, "Name of the config whose organization is asked.").required()
}
