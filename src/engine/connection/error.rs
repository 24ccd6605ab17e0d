//! Why a config is not there to be used.

use crate::astra::SetupError;
use crate::astra::UrlError;
use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// Something needs a config that is not there.
    #[error("config \"{0}\" does not exist: write it first, with token=… at config/{0}")]
    Unknown(String),
    /// The stored config makes no client.
    #[error("config \"{name}\" cannot be used: {source}: write it again")]
    Unusable {
        /// The config.
        name: String,
        /// What is wrong with it.
        source: ClientError,
    },
}

/// Why a stored config makes no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Its URL is of no use.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The rest is not.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl Classified for ConnectionError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown(_) => Fault::Caller,
            Self::Unusable { .. } => Fault::Engine,
        }
    }
}
