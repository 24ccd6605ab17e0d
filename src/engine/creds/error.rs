//! What goes wrong with credentials and their leases.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredsError {
    /// There is no such role.
    #[error("role \"{0}\" does not exist: write it first, at roles/{0}")]
    UnknownRole(String),
    /// The role asks for a reason.
    #[error(
        "role \"{role}\" needs a reason: say why the credential is wanted, for instance vault read \
         {mount_point}creds/{role} reason=OPS-1234"
    )]
    ReasonMissing {
        /// The role.
        role: String,
        /// Where the engine is mounted.
        mount_point: String,
    },
}

/// Why a lease was not made, extended or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// To the host a lease of 0 s means the mount's default.
    #[error("the lease would be over at once: read a new credential")]
    OverAtOnce,
    /// The lease's data is no JSON object.
    #[error("the lease's data does not encode")]
    NotEncoded,
    /// The host sent no lease.
    #[error("request has no secret")]
    Missing,
    /// The lease is damaged, or of another engine.
    #[error("the lease's internal data is not what this engine wrote")]
    Foreign,
    /// The role of a lease that is to be extended is gone.
    #[error(
        "role \"{0}\" does not exist any more, so its leases are not extended: the token stays \
         valid until its lease ends; read a credential of another role"
    )]
    RoleGone(String),
    /// The token of a lease that is to be extended ends.
    #[error("the token reaches its end at {0}: the lease is not extended; read a new credential")]
    TokenEnds(String),
    /// The lease has lasted as long as it may.
    #[error("the lease has reached its maximum TTL and is not extended; read a new credential")]
    MaxTtlReached,
    /// What could delete the token is gone.
    #[error(
        "config \"{config}\" is gone, so the token with client id {client_id} cannot be deleted: \
         write the config again, or delete the token in Astra and then force the revocation{ends}"
    )]
    ConfigGone {
        /// The config.
        config: String,
        /// The token's client id.
        client_id: String,
        /// When it ends by itself, if it does.
        ends: String,
    },
    /// The config is for another organization by now.
    #[error(
        "the token with client id {client_id} is in organization {org_id}, but config \"{config}\" \
         is now for {other}: give the config a root token of {org_id}{ends}"
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
        /// When the token ends by itself, if it does.
        ends: String,
    },
    /// Astra may know the token only later.
    #[error(
        "config \"{config}\": Astra does not know the token with client id {client_id}, which was \
         minted so short a time ago that it may still appear: the revocation has to be tried again"
    )]
    PerhapsNotVisible {
        /// The config.
        config: String,
        /// The token's client id.
        client_id: String,
    },
}

impl Classified for CredsError {
    fn fault(&self) -> Fault {
        match self {
            Self::UnknownRole(_) | Self::ReasonMissing { .. } => Fault::Caller,
        }
    }
}

impl Classified for LeaseError {
    fn fault(&self) -> Fault {
        match self {
            Self::RoleGone(_) | Self::TokenEnds(_) | Self::MaxTtlReached => Fault::Caller,
            Self::OverAtOnce
            | Self::NotEncoded
            | Self::Missing
            | Self::Foreign
            | Self::ConfigGone { .. }
            | Self::OtherOrganization { .. }
            | Self::PerhapsNotVisible { .. } => Fault::Engine,
        }
    }
}
