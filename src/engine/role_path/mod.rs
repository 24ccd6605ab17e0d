//! `roles`: what operators write and read, and what the host's tick does for custom Astra roles.

mod attributes;
pub mod missing_rights;
mod name;
mod paths;
mod realize;
mod reconcile;
mod released_role;
mod repair;
pub mod unresolved;
mod write;

pub use paths::paths;
pub use realize::Asked;
pub use realize::Known;
pub use reconcile::reconcile_all;
pub use reconcile::reconcile_one;
pub use released_role::ReleasedCustomRole;
pub use released_role::unreachable_role_warning;
pub use write::cap_warnings;
