//! Static roles: one long-lived token each, replaced on a schedule and read without a lease.

mod attributes;
mod creds;
mod error;
mod listed;
mod paths;
mod reconcile;
mod remove;
mod rotate;
#[cfg(test)]
mod tests;
mod write;

pub(super) use reconcile::reconcile;

use super::Engine;
use crate::framework::Path;

/// The paths.
pub(super) fn paths() -> Vec<Path<Engine>> {
    [paths::paths(), creds::paths()]
        .into_iter()
        .flatten()
        .collect()
}
