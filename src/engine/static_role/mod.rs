//! Static roles: one long-lived token each, replaced on a schedule and read without a lease.

mod creds;
mod entry;
mod paths;
mod registry;
mod remove;
mod rotate;
mod settle;
#[cfg(test)]
mod tests;
mod tick;
mod write;

pub use registry::StaticRoles;
pub use tick::tend;

use super::Engine;
use crate::framework::Path;

/// The paths.
pub fn paths() -> Vec<Path<Engine>> {
    [paths::paths(), creds::paths()]
        .into_iter()
        .flatten()
        .collect()
}
