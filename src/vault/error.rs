//! Why a request failed, and whose fault it is.

use super::StorageError;
use super::SystemError;

/// The outcome of a request that did not succeed; every variant has its HTTP status
/// (docs/internals/protocol.md, "Errors").
///
/// Messages go to the caller: they name the field, the value and the remedy, never a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The caller's input is wrong: an error response with HTTP 400.
    #[error("{0}")]
    BadRequest(String),
    /// Something upstream of the engine failed in a way that has its own HTTP status, for instance
    /// 502 or 504.
    #[error("{message}")]
    Status {
        /// The HTTP status.
        status: FailureStatus,
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

impl Error {
    /// The same with another message, where it has one of its own.
    pub fn map_message(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::BadRequest(message) => Self::BadRequest(change(&message)),
            Self::Status { status, message } => Self::Status {
                status,
                message: change(&message),
            },
            Self::Internal(message) => Self::Internal(change(&message)),
            other => other,
        }
    }

    /// What a renewal is refused with.  The host shows an error *response* to a renewal as the dump of a
    /// structure in Go, and an error as its text; it answers both with HTTP 400.
    pub fn of_renewal(self) -> Self {
        match self {
            Self::BadRequest(message) | Self::Status { message, .. } => Self::Internal(message),
            other => other,
        }
    }
}

/// An HTTP status from 400 to 599: it cannot hold a success.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailureStatus(u16);

impl FailureStatus {
    /// 404: an object that the request needs does not exist.
    pub const NOT_FOUND: Self = Self(404);
    /// 502: the upstream service failed or refused.
    pub const BAD_GATEWAY: Self = Self(502);
    /// 503: not now; the same request may succeed later.
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 504: the upstream service did not answer in time.
    pub const GATEWAY_TIMEOUT: Self = Self(504);

    /// The status `code`, if it is one of a failure.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            400..600 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }
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

#[cfg(test)]
mod tests {
    use super::FailureStatus;

    #[test]
    fn a_failure_status_holds_no_success() {
        let codes: Vec<u16> = (0..=u16::MAX)
            .filter(|code| FailureStatus::new(*code).is_some())
            .collect();
        assert_eq!(codes, (400..600).collect::<Vec<u16>>());
    }
}
