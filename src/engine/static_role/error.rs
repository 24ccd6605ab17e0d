//! What goes wrong with static roles.

use crate::engine::connection::ClientError;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;
use crate::framework::format_seconds;

/// Why a request for a static role failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StaticRoleError {
    /// There is nothing to rotate.
    #[error("static role \"{0}\" does not exist: write it first, at static-roles/{0}")]
    Unknown(String),
    /// There is nothing to patch.
    #[error("static role \"{0}\" does not exist: write it before patching it")]
    NothingToPatch(String),
    /// The static role that is to be deleted cannot be read.
    #[error(
        "{0}. Which tokens it has cannot be told either, so it is only deleted with force=true"
    )]
    TokensUnknown(#[source] Error),
    /// Tokens that a deleted static role of this name left are still to be deleted, by its config.
    #[error(
        "static role \"{name}\" was deleted, but its tokens are not yet: wait until the host's \
         ticks have deleted them, or give config={config}; where that config is gone, delete the \
         static role with force=true first"
    )]
    TokensLeft {
        /// The static role.
        name: String,
        /// The config of the tokens.
        config: String,
    },
    /// The config of a static role does not change.
    #[error(
        "config: \"{given}\" is not \"{stored}\", where the static role's tokens are: delete the \
         static role and write it again, or use another name"
    )]
    OtherConfig {
        /// The config that was named.
        given: String,
        /// The static role's.
        stored: String,
    },
    /// A static role is rotated.
    #[error(
        "rotation_period or rotation_schedule is missing: give one of the two, for instance \
         rotation_period=24h"
    )]
    ScheduleMissing,
    /// More than one previous token would live on.
    #[error(
        "overlap: {} is not less than the time between two rotations, {}: shorten overlap or \
         rotate less often",
        format_seconds(*.overlap as i64), format_seconds(*.gap as i64)
    )]
    OverlapTooLong {
        /// The overlap in seconds.
        overlap: u64,
        /// The time between two rotations in seconds.
        gap: u64,
    },
    /// The token is dead, as it could not be rotated in time.
    #[error(
        "static role \"{name}\": its token ended at {ended} and could not be replaced yet; the \
         host's ticks try again ({last_error})"
    )]
    Ended {
        /// The static role.
        name: String,
        /// When its token ended.
        ended: String,
        /// Why the last rotation failed.
        last_error: String,
    },
    /// The config of a token that is to be deleted is for another organization by now.
    #[error(
        "the token with client id {client_id} is in organization {org_id}, but config \"{config}\" \
         is now for {other}: give this or another config a root token of {org_id}, or delete the \
         token in Astra"
    )]
    OtherOrganization {
        /// The token's client id.
        client_id: String,
        /// The token's organization.
        org_id: String,
        /// The config.
        config: String,
        /// The config's organization.
        other: String,
    },
    /// Astra may know a token only later.
    #[error(
        "config \"{config}\": Astra does not know the token with client id {client_id}, which was \
         minted so short a time ago that it may still appear: a tick tries again"
    )]
    PerhapsNotVisible {
        /// The config.
        config: String,
        /// The token's client id.
        client_id: String,
    },
    /// The config makes no client for the new token.
    #[error("config \"{config}\": the new token cannot be tried: {source}")]
    NotTried {
        /// The config.
        config: String,
        /// What is wrong with it.
        source: ClientError,
    },
}

impl Classified for StaticRoleError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown(_)
            | Self::TokensUnknown(_)
            | Self::TokensLeft { .. }
            | Self::OtherConfig { .. }
            | Self::ScheduleMissing
            | Self::OverlapTooLong { .. } => Fault::Caller,
            Self::NothingToPatch(_) => Fault::Missing,
            Self::Ended { .. } => Fault::Overload,
            Self::OtherOrganization { .. }
            | Self::PerhapsNotVisible { .. }
            | Self::NotTried { .. } => Fault::Engine,
        }
    }
}
