//! What an organization holds, so that an operator never has to leave Vault: its roles, its
//! databases, and the live tokens of this mount.

mod astra_roles;
mod databases;
mod tagged;
mod tokens;

pub use tagged::MountTokenFilter;
pub use tagged::TaggedToken;
pub use tagged::live;
pub(super) use tokens::shown;

use super::Engine;
use crate::framework::Field;
use crate::framework::Path;

const CONFIG: &str = "config";

/// The paths.
pub fn paths() -> Vec<Path<Engine>> {
    vec![
        astra_roles::list_path(),
        astra_roles::read_path(),
        databases::path(),
        tokens::path(),
    ]
}

fn config_field() -> Field {
    Field::string(CONFIG, "Name of the config whose organization is asked.").required()
}
