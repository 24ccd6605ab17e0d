//! What a failure in Astra becomes for the caller.

use super::connection::Connection;
use super::error::Classified;
use super::error::Error;
use super::error::Fault;
use crate::astra;

/// Astra did not do what was needed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AstraError {
    /// A request did not get what it needs: what was tried, where, and why it failed.
    #[error("config \"{config}\": cannot {what}: {source}")]
    Request {
        /// The config.
        config: String,
        /// What was tried.
        what: String,
        /// Why it failed.
        source: astra::Error,
    },
    /// A revocation that must be tried again: never the kind of error that makes the host give a lease
    /// up at once.
    #[error("config \"{config}\": cannot delete the token with client id {client_id}: {source}")]
    Revocation {
        /// The config.
        config: String,
        /// The token's client id.
        client_id: String,
        /// Why it failed.
        source: astra::Error,
    },
}

impl Classified for AstraError {
    fn fault(&self) -> Fault {
        match self {
            Self::Request {
                source: astra::Error::RateLimited { .. } | astra::Error::Busy { .. },
                ..
            } => Fault::Overload,
            Self::Request {
                source: astra::Error::TimedOut { .. },
                ..
            } => Fault::Timeout,
            Self::Request { .. } => Fault::Astra,
            Self::Revocation { .. } => Fault::Engine,
        }
    }
}

/// The failure of a request that was to do `what` in the connection's organization.
pub(super) fn request_error(what: &str, connection: &Connection, error: &astra::Error) -> Error {
    connection.health.failed(error);
    let failure = AstraError::Request {
        config: connection.name.clone(),
        what: what.to_owned(),
        source: error.clone(),
    };
    failure.into()
}

/// The failure of a revocation.
pub(super) fn revoke_error(
    connection: &Connection,
    client_id: &str,
    error: &astra::Error,
) -> Error {
    connection.health.failed(error);
    let failure = AstraError::Revocation {
        config: connection.name.clone(),
        client_id: client_id.to_owned(),
        source: error.clone(),
    };
    failure.into()
}
