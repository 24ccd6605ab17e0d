//! What goes wrong with looking at an organization.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// The most tokens of one answer.
pub(super) const MAX_TOKENS: usize = 10_000;

/// An object cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiscoveryError {
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
    /// Several databases have the name.
    #[error("database: \"{wanted}\" is the name of {count} databases; use an id instead: {ids}")]
    AmbiguousDatabase {
        /// What was asked for.
        wanted: String,
        /// How many have it.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// More tokens are asked for than one answer may have.
    #[error("limit: {given} is out of range: give a number from 1 to {MAX_TOKENS}")]
    Limit {
        /// What was asked for.
        given: i64,
    },
    /// Another list is still being read.
    #[error(
        "another list of the live tokens of config \"{config}\" is still being read: try again"
    )]
    Busy {
        /// The config.
        config: String,
    },
}

impl Classified for DiscoveryError {
    fn fault(&self) -> Fault {
        match self {
            Self::AmbiguousRole { .. } | Self::AmbiguousDatabase { .. } | Self::Limit { .. } => {
                Fault::Caller
            }
            Self::Busy { .. } => Fault::Overload,
        }
    }
}
