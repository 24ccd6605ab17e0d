//! What the engine's operations fail with.
//!
//! Each noun (config, role, lease …) has an enum of its own for what goes wrong there: a variant for
//! each message, with the cause as its source.  Such an enum says of each variant whose fault it is,
//! by [`Classified`]; [`Error`] holds any of them, and only here it becomes an error of Vault's.

use std::fmt;
use std::sync::Arc;

use crate::vault;
use crate::vault::FailureStatus;
use crate::vault::Response;
use crate::vault::StorageError;
use crate::vault::SystemError;

/// Whose fault a failure is, and so its HTTP status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The caller's: the request has to change.  400.
    Caller,
    /// The caller's: what is to be changed does not exist.  404.
    Missing,
    /// Astra's, or of something on the way to it.  502.
    Astra,
    /// Too much is asked for at once; the same request may succeed later.  503.
    Overload,
    /// Astra did not answer in time.  504.
    Timeout,
    /// The engine's or its host's.  500; on a revocation the host tries again.
    Engine,
    /// No fault: this node may not write, so the host forwards the request to one that may.
    ReadOnly,
}

/// An error that knows whose fault it is.
pub trait Classified: std::error::Error + Send + Sync + 'static {
    /// Whose fault it is.
    fn fault(&self) -> Fault;
}

/// Why an operation of the engine failed.
///
/// The message goes to the caller: it names the field, the value and the remedy, never a secret.
#[derive(Clone)]
pub struct Error(Arc<dyn Classified>);

/// What a handler of the engine results in.
pub(super) type HandlerResult = Result<Option<Response>, Error>;

impl Error {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.fault()
    }
}

impl<E: Classified> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Error> for vault::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let status = match error.fault() {
            Fault::Caller => return Self::BadRequest(message),
            Fault::Engine => return Self::Internal(message),
            Fault::ReadOnly => return Self::ReadOnly,
            Fault::Missing => FailureStatus::NOT_FOUND,
            Fault::Astra => FailureStatus::BAD_GATEWAY,
            Fault::Overload => FailureStatus::SERVICE_UNAVAILABLE,
            Fault::Timeout => FailureStatus::GATEWAY_TIMEOUT,
        };
        Self::Status { status, message }
    }
}

impl Classified for StorageError {
    fn fault(&self) -> Fault {
        match self {
            Self::ReadOnly => Fault::ReadOnly,
            Self::Refused(_) | Self::Unreachable(_) => Fault::Engine,
        }
    }
}

impl Classified for SystemError {
    fn fault(&self) -> Fault {
        Fault::Engine
    }
}

/// For what the framework refuses in the middle of a handler: parameters that have no effect.
impl Classified for vault::Error {
    fn fault(&self) -> Fault {
        match self {
            Self::BadRequest(_) => Fault::Caller,
            Self::Status { status, .. } => match *status {
                FailureStatus::NOT_FOUND => Fault::Missing,
                FailureStatus::SERVICE_UNAVAILABLE => Fault::Overload,
                FailureStatus::GATEWAY_TIMEOUT => Fault::Timeout,
                _ => Fault::Astra,
            },
            Self::ReadOnly => Fault::ReadOnly,
            _ => Fault::Engine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("config \"a\": {source}")]
    struct Failure {
        fault: Fault,
        source: StorageError,
    }

    impl Classified for Failure {
        fn fault(&self) -> Fault {
            self.fault
        }
    }

    fn failure(fault: Fault) -> Error {
        let source = StorageError::Refused("no".to_owned());
        Failure { fault, source }.into()
    }

    #[test]
    fn each_fault_has_its_status_and_keeps_its_message() {
        let message = || "config \"a\": storage refused: no".to_owned();
        let status = |fault| match failure(fault).into() {
            vault::Error::Status {
                status,
                message: text,
            } if text == message() => status.code(),
            vault::Error::BadRequest(text) if text == message() => 400,
            vault::Error::Internal(text) if text == message() => 500,
            vault::Error::ReadOnly => 0,
            _ => 1,
        };
        let expected = [
            (Fault::Caller, 400),
            (Fault::Missing, 404),
            (Fault::Astra, 502),
            (Fault::Overload, 503),
            (Fault::Timeout, 504),
            (Fault::Engine, 500),
            (Fault::ReadOnly, 0),
        ];
        for (fault, code) in expected {
            assert_eq!(status(fault), code, "{fault:?}");
        }
    }

    #[test]
    fn the_source_is_kept() {
        let error = failure(Fault::Astra);
        let source = std::error::Error::source(&error);
        assert_eq!(
            source.and_then(|source| source.downcast_ref()),
            Some(&StorageError::Refused("no".to_owned()))
        );
    }
}
