//! What a failure in Astra becomes for the caller.

use crate::astra;
use crate::vault::Error;

/// A request that needed Astra and did not get what it needed: an HTTP status that says whether
/// trying again makes sense, and a sentence that says what was tried, where, and why it failed.
pub fn failed(what: &str, config: &str, error: &astra::Error) -> Error {
    let status = match error {
        astra::Error::RateLimited(_) | astra::Error::Busy(_) => 503,
        astra::Error::TimedOut(_) => 504,
        _ => 502,
    };
    Error::Coded {
        status,
        message: format!("config \"{config}\": cannot {what}: {error}"),
    }
}

/// A revocation that must be tried again: never the kind of error that makes the host give a lease
/// up at once.
pub fn revoke_failed(config: &str, client_id: &str, error: &astra::Error) -> Error {
    Error::Internal(format!(
        "config \"{config}\": cannot delete the token with client id {client_id}: {error}"
    ))
}
