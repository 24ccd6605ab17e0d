//! What goes wrong with looking at an organization.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// An object cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Several Astra roles have the name.
    #[error("role: \"{wanted}\" is the name of {count} Astra roles; use an id instead: {ids}")]
    AmbiguousRole {
        /// What was asked for.
        wanted: String,
        /// How many have it.
        count: usize,
        /// Their ids.
        ids: String,
    },
}

impl Classified for DiscoveryError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
