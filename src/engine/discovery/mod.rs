//! What an organization holds, so that an operator never has to leave Vault: its roles, its
//! databases, and the live tokens of this mount.

mod astra_roles;
mod config_field;
mod databases;
mod error;
mod owner_names;
mod tokens;

pub(super) use owner_names::OwnerNames;
pub(super) use tokens::shown;

use super::Engine;
use crate::framework::Path;

/// The paths.
pub(super) fn paths() -> Vec<Path<Engine>> {
    vec![
        astra_roles::list_path(),
        astra_roles::read_path(),
        databases::list_path(),
        databases::read_path(),
        tokens::path(),
    ]
}
