//! Why there is no policy for `access`.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// `access` is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// Another word.
    #[error("access: \"{0}\" is unknown: give read-only, read-write or admin")]
    Unknown(String),
    /// It is for one database.
    #[error(
        "access: {0} is for one database, and database_id is empty: give database_id, or use astra_roles or policy instead"
    )]
    NeedsDatabase(&'static str),
    /// The role whose actions it has is not in Astra's list.
    #[error(
        "access: the organization lists no built-in role \"{built_in}\", whose actions {access} stands for: use astra_roles or policy instead"
    )]
    NoBuiltIn {
        /// What was asked for.
        access: &'static str,
        /// The name of the role in Astra.
        built_in: &'static str,
    },
    /// The role is there, but grants nothing on databases.
    #[error(
        "access: the built-in role \"{built_in}\", whose actions {access} stands for, lists none on databases: use astra_roles or policy instead"
    )]
    NoActions {
        /// What was asked for.
        access: &'static str,
        /// The name of the role in Astra.
        built_in: &'static str,
    },
}

impl Classified for AccessError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown(_) | Self::NeedsDatabase(_) => Fault::Caller,
            Self::NoBuiltIn { .. } | Self::NoActions { .. } => Fault::Astra,
        }
    }
}
