//! What a failure in Astra becomes for the caller.

use super::config::Connection;
use crate::astra;
use crate::vault::Error;
use crate::vault::FailureStatus;

/// A request that needed Astra and did not get what it needed: an HTTP status that says whether
/// trying again makes sense, and a sentence that says what was tried, where, and why it failed.
pub fn request_error(what: &str, connection: &Connection, error: &astra::Error) -> Error {
    connection.health.failed(error);
    let status = match error {
        astra::Error::RateLimited { .. } | astra::Error::Busy { .. } => {
            FailureStatus::SERVICE_UNAVAILABLE
        }
        astra::Error::TimedOut { .. } => FailureStatus::GATEWAY_TIMEOUT,
        _ => FailureStatus::BAD_GATEWAY,
    };
    let name = &connection.name;
    Error::Status {
        status,
        message: format!("config \"{name}\": cannot {what}: {error}"),
    }
}

/// A revocation that must be tried again: never the kind of error that makes the host give a lease
/// up at once.
pub fn revoke_error(connection: &Connection, client_id: &str, error: &astra::Error) -> Error {
    connection.health.failed(error);
    let name = &connection.name;
    Error::Internal(format!(
        "config \"{name}\": cannot delete the token with client id {client_id}: {error}"
    ))
}
