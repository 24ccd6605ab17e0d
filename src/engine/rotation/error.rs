//! What goes wrong with rotations of root tokens.

use crate::engine::connection::ClientError;
use crate::engine::connection::VerifyError;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;

/// Why a root token was not rotated.
#[derive(Debug, thiserror::Error)]
pub(super) enum RotationError {
    /// Astra's list does not tell what the next token must be.
    #[error("config \"{config}\": {source}")]
    PresentUnclear {
        /// The config.
        config: String,
        /// What is not clear.
        source: UnclearRoot,
    },
    /// The new token does not work.
    #[error(
        "config \"{config}\": the new root token was minted but not taken: {source}; it was \
         deleted again"
    )]
    NotTaken {
        /// The config.
        config: String,
        /// What is wrong with it.
        source: UnusableRoot,
    },
    /// The former token is still the root token.
    #[error("{0}. The root token was not changed")]
    Unchanged(#[source] Error),
}

/// What is not known of the present root token.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnclearRoot {
    /// It is not listed.
    #[error(
        "the organization does not list the root token with client id {0}, so its Astra roles are \
         not known: write a new root token to the config instead"
    )]
    NotListed(String),
    /// It is listed with the name of several roles, or of none.
    #[error(
        "the root token has the Astra role \"{role}\", and the organization has {count} roles of \
         that name: write a new root token to the config instead"
    )]
    AmbiguousRole {
        /// The name.
        role: String,
        /// How many roles have it.
        count: usize,
    },
    /// It is listed without roles.
    #[error(
        "the organization lists the root token without Astra roles, so the next one cannot have \
         the same: write a new root token to the config instead"
    )]
    NoRoles,
}

/// What is wrong with a new root token.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableRoot {
    /// The config makes no client with it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It does not do what a root token must.
    #[error(transparent)]
    NotVerified(#[from] VerifyError),
    /// It ends before it could be replaced for certain, and the present one does not.
    #[error(
        "Astra ends it at {0}, which is too soon: a tick of the host may take two minutes to replace it"
    )]
    EndsTooSoon(String),
    /// It leads elsewhere.
    #[error("it belongs to organization {new}, the present one to {present}")]
    OtherOrganization {
        /// Its organization.
        new: String,
        /// The present token's.
        present: String,
    },
}

impl Classified for RotationError {
    fn fault(&self) -> Fault {
        match self {
            Self::PresentUnclear { .. } | Self::NotTaken { .. } => Fault::Astra,
            Self::Unchanged(cause) => cause.fault(),
        }
    }
}
