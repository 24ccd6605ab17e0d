//! How a failure travels (docs/internals/protocol.md, "Errors").

use crate::proto::pb;
use crate::vault::Error;
use crate::vault::Operation;

/// The kinds of `ProtoError` that this crate sends.
mod kind {
    pub(super) const UNKNOWN: u32 = 0;
    pub(super) const USER: u32 = 1;
    pub(super) const CODED: u32 = 3;
    pub(super) const UNSUPPORTED_OPERATION: u32 = 5;
    pub(super) const UNSUPPORTED_PATH: u32 = 6;
    pub(super) const PERMISSION_DENIED: u32 = 8;
}

/// The error for the wire.
///
/// Where no HTTP caller waits (renew, revoke, rollback), a coded error turns into one of unknown
/// kind, which the lease machinery tries again.
pub fn encode_error(error: &Error, operation: &Operation) -> pb::ProtoError {
    let (err_type, err_code) = match error {
        Error::BadRequest(_) => (kind::USER, 0),
        Error::Status { status, .. } if has_caller(operation) => {
            (kind::CODED, i64::from(status.code()))
        }
        Error::Status { .. } | Error::Internal(_) | Error::ReadOnly => (kind::UNKNOWN, 0),
        Error::PermissionDenied => (kind::PERMISSION_DENIED, 0),
        Error::UnsupportedOperation => (kind::UNSUPPORTED_OPERATION, 0),
        Error::UnsupportedPath => (kind::UNSUPPORTED_PATH, 0),
    };
    pb::ProtoError {
        err_type,
        err_msg: error.to_string(),
        err_code,
    }
}

fn has_caller(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::Renew | Operation::Revoke | Operation::Rollback
    )
}
