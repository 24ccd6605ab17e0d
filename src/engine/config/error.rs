//! What goes wrong with configs.

use crate::astra;
use crate::astra::SetupError;
use crate::astra::TokenFormatError;
use crate::astra::UrlError;
use crate::engine::connection::ClientError;
use crate::engine::connection::VerifyError;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;

/// Why a request for a config failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// There is nothing to patch.
    #[error("config \"{0}\" does not exist: write it before patching it")]
    NothingToPatch(String),
    /// The first write brings no token.
    #[error(
        "token is missing: give the root token, an Astra application token with the rights \
         org-token-write and org-token-read"
    )]
    TokenMissing,
    /// The token is sent empty.
    #[error("token: it is empty: leave token out to keep the present one, or give a new one")]
    TokenEmpty,
    /// The stored token would go to another address.
    #[error(
        "{field}: to change it give token too, in the same request: the stored root token is not \
         sent to an address or behind a certificate that it was not given for"
    )]
    TokenNeeded {
        /// The field.
        field: &'static str,
    },
    /// The token is another config's: what one of the two does with it, as rotating it, the other would
    /// not survive.
    #[error(
        "token: config \"{other}\" has the token with client id {client_id} already: give each \
         config a token of its own"
    )]
    OthersToken {
        /// The token's client id.
        client_id: String,
        /// The config that has it.
        other: String,
    },
    /// The token is none.
    #[error("token: {0}")]
    Token(#[source] TokenFormatError),
    /// The URL is none of the DevOps API.
    #[error("url: {0}")]
    Url(#[source] UrlError),
    /// A number is too small or too large.
    #[error("{field}: {value} is out of range: give a number from 1 to {max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was sent.
        value: i64,
        /// The largest number.
        max: String,
    },
    /// The config makes no client.
    #[error(transparent)]
    Setup(SetupError),
    /// A token is written that rotation has replaced: storing it would lock the engine out once Astra
    /// has deleted it.
    #[error(
        "token: the token with client id {client_id} was replaced by a rotation and is not taken \
         back: leave token out to keep the present one, or give a new one"
    )]
    Retired {
        /// The token's client id.
        client_id: String,
    },
    /// The token does not do what a root token must.
    #[error("config \"{name}\": {source}. Nothing was stored")]
    NotVerified {
        /// The config.
        name: String,
        /// The step that failed.
        source: VerifyError,
    },
    /// The token is not of the organization that was named.
    #[error(
        "org_id: the token belongs to organization {token_org}, not to {wanted}: leave org_id out \
         or give the token's own"
    )]
    NotOfOrganization {
        /// The token's organization.
        token_org: String,
        /// The one that was named.
        wanted: String,
    },
    /// The token is of another organization than the config: what is live in the former one could not
    /// be revoked any more.
    #[error(
        "config \"{name}\" is for organization {old}, but the token belongs to {new}: tokens that \
         are live in {old} could not be revoked any more. Use another config name for {new}, or \
         force=true"
    )]
    OtherOrganization {
        /// The config.
        name: String,
        /// The organization that it is for.
        old: String,
        /// The token's.
        new: String,
    },
    /// The config is to forget its organization, and nothing shows that the token is of that one.
    #[error(
        "org_id: it is empty, and with verify=false nothing shows that the token belongs to {old}, \
         the organization of config \"{name}\": tokens that are live there could not be revoked \
         any more. Leave org_id out, or give verify=true, or force=true"
    )]
    UnknownOrganization {
        /// The config.
        name: String,
        /// The organization that it is for.
        old: String,
    },
    /// Something needs the config that is to be deleted.
    #[error("config \"{name}\" is in use: {users}. {remedy} first, or delete with force=true")]
    InUse {
        /// The config.
        name: String,
        /// What needs it.
        users: String,
        /// What to do about it.
        remedy: String,
    },
    /// The config that is to be deleted cannot be read.
    #[error("{0}. Who uses it cannot be told either, so it is only deleted with force=true")]
    UsersUnknown(#[source] Error),
    /// A parameter that only the archived engine had.
    #[error("{field} is a parameter of the archived engine: {instead}. Nothing was done")]
    ArchivedField {
        /// The parameter.
        field: &'static str,
        /// What to type instead.
        instead: String,
    },
    /// A command of the archived engine for another organization.
    #[error(
        "org_id: {path} is for organization {own}, and the request names another: {instead}. \
         Nothing was done"
    )]
    ArchivedOrganization {
        /// The path.
        path: String,
        /// The config's organization.
        own: String,
        /// What to type instead.
        instead: String,
    },
    /// A command of the archived engine for an organization, where the config's is not known.
    #[error(
        "org_id: {path} is not known to be for the organization that the request names: {instead}. \
         Nothing was done"
    )]
    ArchivedUnknownOrganization {
        /// The path.
        path: String,
        /// What to type instead.
        instead: String,
    },
}

/// Why the root tokens of a deleted config are not deleted yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum PendingDeletionError {
    /// They may be in use.
    #[error("a config that a newer version wrote may use them")]
    PerhapsInUse,
    /// One is being written into a config.
    #[error("a config is being written with one of them")]
    BeingWritten,
    /// One was made a moment ago.
    #[error("Astra does not show one of them, and may not show it yet")]
    PerhapsNotVisible,
    /// Astra knows neither their config's own root token nor that of another config for its organization.
    #[error(
        "Astra knows no root token any more that could delete them: write a config for the same \
         organization, and a tick deletes them with its root token"
    )]
    NoneWorks,
    /// Nothing can be sent.
    #[error("its client cannot be set up: {0}")]
    Client(#[from] ClientError),
    /// Astra did not delete them.
    #[error(transparent)]
    Astra(#[from] astra::Error),
}

impl Classified for ConfigError {
    fn fault(&self) -> Fault {
        match self {
            Self::TokenMissing
            | Self::TokenEmpty
            | Self::TokenNeeded { .. }
            | Self::OthersToken { .. }
            | Self::Token(_)
            | Self::Url(_)
            | Self::OutOfRange { .. }
            | Self::Setup(_)
            | Self::Retired { .. }
            | Self::NotVerified { .. }
            | Self::NotOfOrganization { .. }
            | Self::OtherOrganization { .. }
            | Self::UnknownOrganization { .. }
            | Self::InUse { .. }
            | Self::UsersUnknown(_)
            | Self::ArchivedField { .. }
            | Self::ArchivedOrganization { .. }
            | Self::ArchivedUnknownOrganization { .. } => Fault::Caller,
            Self::NothingToPatch(_) => Fault::Missing,
        }
    }
}

impl Classified for PendingDeletionError {
    fn fault(&self) -> Fault {
        Fault::Engine
    }
}
