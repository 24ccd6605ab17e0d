//! Taking over a mount of the archived Go engine: what it leased, and what it stored.

mod error;
mod lease;
mod place;
mod renew;
mod revoke;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use crate::engine::Engine;
use crate::engine::creds;
use crate::framework::SecretType;

/// What the framework is told about the leases: both engines call theirs alike.
pub fn secret() -> SecretType<Engine> {
    SecretType::new(creds::SECRET_TYPE)
        .on_renew(renew::renew)
        .on_revoke(revoke::revoke)
}
