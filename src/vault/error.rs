//! Why a request failed, and whose fault it is.

use super::StorageError;
use super::SystemError;

/// The outcome of a request that did not succeed; every variant has its HTTP status
/// (docs/protocol.md, "Errors").
///
/// Messages go to the caller: they name the field, the value and the remedy, never a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The caller's input is wrong: an error response with HTTP 400.
    #[error("{0}")]
    BadRequest(String),
    /// Something upstream of the engine failed in a way that has its own HTTP status, for instance
    /// 502 or 504.  Never 2xx.
    #[error("{message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The sentence for the caller.
        message: String,
    },
    /// The engine or its host failed: HTTP 500.  On a revoke the host tries again.
    #[error("{0}")]
    Internal(String),
    /// The caller may not do this: HTTP 403, with the host's fixed text.
    #[error("permission denied")]
    PermissionDenied,
    /// This node may not write.  The host recognises the exact text and forwards the request to a
    /// node that may.
    #[error("cannot write to readonly storage")]
    ReadOnly,
    /// The path exists but not this operation: HTTP 405.
    #[error("unsupported operation")]
    UnsupportedOperation,
    /// No such path: HTTP 404.
    #[error("unsupported path")]
    UnsupportedPath,
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::ReadOnly => Self::ReadOnly,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<SystemError> for Error {
    fn from(error: SystemError) -> Self {
        Self::Internal(error.to_string())
    }
}
