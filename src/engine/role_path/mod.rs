//! `roles`: what operators write and read, and what the host's tick does for custom Astra roles.

mod attributes;
pub(super) mod missing_rights;
mod name;
mod paths;
mod realize;
mod reconcile;
mod released_role;
mod repair;
pub(super) mod unresolved;
mod write;

pub(super) use paths::paths;
pub(super) use realize::Asked;
pub(super) use realize::Known;
pub(super) use reconcile::reconcile_all;
pub(super) use reconcile::reconcile_one;
pub(super) use released_role::ReleasedCustomRole;
pub(super) use write::cap_warnings;
