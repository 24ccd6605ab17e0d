//! What goes wrong with rotations of root tokens.

use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;

/// Why a root token was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The former token is still the root token.
    #[error("{0}. The root token was not changed")]
    Unchanged(#[source] Error),
}

impl Classified for RotationError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unchanged(cause) => cause.fault(),
        }
    }
}
