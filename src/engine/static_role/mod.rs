//! Static roles: one long-lived token each, replaced on a schedule and read without a lease.

mod attributes;
mod creds;
mod entry;
mod error;
mod listed;
mod paths;
mod reconcile;
mod registry;
mod remove;
mod rotate;
#[cfg(test)]
mod tests;
mod write;

#[cfg(test)]
pub use entry::StaticRoleEntry;
pub use reconcile::reconcile;
pub use registry::StaticRoles;

use super::Engine;
use crate::framework::Path;

/// The paths.
pub fn paths() -> Vec<Path<Engine>> {
    [paths::paths(), creds::paths()]
        .into_iter()
        .flatten()
        .collect()
}
