//! What goes wrong with roles.

use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;
use crate::framework::format_seconds;

/// Why a role cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoleError {
    /// There is nothing to patch.
    #[error("role \"{0}\" does not exist: write it before patching it")]
    NothingToPatch(String),
    /// What the role that is to be deleted keeps in Astra is not known.
    #[error(
        "{0}. What it keeps in Astra cannot be told either, so it is only deleted with force=true"
    )]
    KeepsUnknown(#[source] Error),
    /// A lease would begin longer than it may last.
    #[error(
        "ttl: {} is longer than max_ttl, {}: shorten ttl or lengthen max_ttl",
        format_seconds(*.ttl as i64), format_seconds(*.max_ttl as i64)
    )]
    TtlTooLong {
        /// Seconds.
        ttl: u64,
        /// Seconds.
        max_ttl: u64,
    },
    /// More live tokens than can be counted.
    #[error(
        "max_active: {value} is out of range: give a number from 1 to {max}, or 0 for no limit"
    )]
    MaxActiveOutOfRange {
        /// What was sent.
        value: i64,
        /// The largest number.
        max: u32,
    },
    /// None of the three is given.
    #[error(
        "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
    )]
    NothingGranted,
    /// More than one of the three is given.
    #[error("{first} and {second} are both given: give one of astra_roles, policy and access")]
    GrantedTwice {
        /// One of them.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// An Astra role has rights that need the config's permission.
    #[error(
        "astra_roles: \"{0}\" may create tokens, roles, users or passwords, so its tokens could \
         outlive their lease by making others: choose a role without org-token-write, \
         org-role-write, org-user-write, org-external-auth-write and org-db-passwordreset, or set \
         allow_token_admin=true on the config"
    )]
    GrantsTokenAdmin(String),
    /// An Astra role of a stored role has rights that need the config's permission.
    #[error(
        "the Astra role \"{given}\" ({id}) may create tokens, roles, users or passwords, so tokens \
         with it could outlive their lease by making others: take those rights from it, choose \
         another one, or set allow_token_admin=true on config \"{config}\""
    )]
    BecameTokenAdmin {
        /// The config.
        config: String,
        /// What the operator wrote, or the name.
        given: String,
        /// The Astra role's id.
        id: String,
    },
    /// No Astra role has the name or id.
    #[error("astra_roles: the organization has no role \"{wanted}\"; the nearest names are {near}")]
    UnknownAstraRole {
        /// What was sent.
        wanted: String,
        /// Names like it.
        near: String,
    },
    /// Several Astra roles have the name.
    #[error("astra_roles: \"{wanted}\" is the name of {count} roles; use an id instead: {ids}")]
    AmbiguousAstraRole {
        /// What was sent.
        wanted: String,
        /// How many have it.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// Mints that are under way reach the limit.
    #[error(
        "role \"{role}\": max_active={limit} lets no more mints run at once, and those that run \
         did not end in time; try again"
    )]
    MintsUnderWay {
        /// The role.
        role: String,
        /// Its limit.
        limit: usize,
    },
    /// As many tokens are live as may be.
    #[error(
        "role \"{role}\" may have no more live tokens (it has {live}, its max_active is {limit}): \
         wait until a lease ends, revoke leases that are not needed (vault lease revoke \
         {mount}creds/{role}/<id>; tokens/{config} shows for whom they were minted), or raise \
         max_active at roles/{role}"
    )]
    TooManyLive {
        /// The role.
        role: String,
        /// How many are live.
        live: usize,
        /// How many may be.
        limit: usize,
        /// The mount's path.
        mount: String,
        /// The role's config.
        config: String,
    },
}

impl Classified for RoleError {
    fn fault(&self) -> Fault {
        match self {
            Self::NothingToPatch(_) => Fault::Missing,
            Self::MintsUnderWay { .. } => Fault::Overload,
            Self::KeepsUnknown(_)
            | Self::TtlTooLong { .. }
            | Self::MaxActiveOutOfRange { .. }
            | Self::NothingGranted
            | Self::GrantedTwice { .. }
            | Self::GrantsTokenAdmin(_)
            | Self::BecameTokenAdmin { .. }
            | Self::UnknownAstraRole { .. }
            | Self::AmbiguousAstraRole { .. }
            | Self::TooManyLive { .. } => Fault::Caller,
        }
    }
}
