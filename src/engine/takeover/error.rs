//! What goes wrong with what the archived engine left.

use crate::astra;
use crate::engine::error::Classified;
use crate::engine::error::Fault;
use crate::engine::store::StoreError;

/// Why a lease of the archived engine was not extended or ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum OldLeaseError {
    /// There is nothing to extend.
    #[error("no token stands behind this lease, as Astra refused to make it: revoke it")]
    NoToken,
    /// Nothing can delete the token.
    #[error(
        "no config for {organization} can be used, so the token with client id {client_id} cannot \
         be deleted: write a config with a root token of the organization, or delete the token in \
         Astra and then force the revocation"
    )]
    NoHome {
        /// The organization, in words.
        organization: String,
        /// The token's client id.
        client_id: String,
    },
    /// The token may be where no one could look.
    #[error(
        "the token with client id {client_id} may be in another organization than its lease says, \
         and {place} cannot be asked: {source}"
    )]
    NotAsked {
        /// The token's client id.
        client_id: String,
        /// The config whose organization did not answer, or that cannot be used.
        place: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Which organizations had tokens is not known.
    #[error(
        "the token with client id {client_id} may be in an organization that has no config, which \
         only the record of what was taken over tells, and that cannot be used: {source}"
    )]
    RecordUnread {
        /// The token's client id.
        client_id: String,
        /// What is wrong with the record.
        source: StoreError,
    },
    /// The deletion has to be tried again.
    #[error("{place}: cannot delete the token with client id {client_id}: {source}")]
    NotDeleted {
        /// The old config.
        place: String,
        /// The token's client id.
        client_id: String,
        /// What went wrong.
        source: astra::Error,
    },
    /// Astra may know the token only later.
    #[error(
        "{place}: Astra does not know the token with client id {client_id}, which was minted so \
         short a time ago that it may still appear: the revocation has to be tried again"
    )]
    PerhapsNotVisible {
        /// The config.
        place: String,
        /// The token's client id.
        client_id: String,
    },
    /// This engine refuses the URL or the root token.
    #[error(
        "the archived engine's config/{org_key} cannot be used ({cause}): write a config with a \
         root token of that organization, and take it over with import and names"
    )]
    Unusable {
        /// The old config's key.
        org_key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The config that was imported is for another organization by now.
    #[error(
        "config \"{config}\" is now for organization {now}: give the config a root token of \
         {then}, whose tokens the archived engine leased"
    )]
    Moved {
        /// The config.
        config: String,
        /// Its organization.
        now: String,
        /// The one that it was imported for.
        then: String,
    },
}

impl Classified for OldLeaseError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoToken => Fault::Caller,
            Self::NoHome { .. }
            | Self::NotAsked { .. }
            | Self::RecordUnread { .. }
            | Self::NotDeleted { .. }
            | Self::PerhapsNotVisible { .. }
            | Self::Unusable { .. }
            | Self::Moved { .. } => Fault::Engine,
        }
    }
}
