//! Taking over a mount of the archived Go engine: what it leased, and what it stored.

mod apply;
mod error;
mod finish;
mod import;
mod import_error;
mod lease;
mod names;
mod old_role;
mod org_token;
mod org_token_error;
mod paths;
mod place;
mod plan;
mod plan_configs;
mod plan_roles;
mod planning;
mod remaining;
mod renew;
mod report;
mod revoke;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

pub(super) use paths::paths;

use crate::engine::Engine;
use crate::engine::creds;
use crate::framework::SecretType;

/// What the framework is told about the leases: both engines call theirs alike.
pub(super) fn secret() -> SecretType<Engine> {
    SecretType::new(creds::SECRET_TYPE)
        .on_renew(renew::renew)
        .on_revoke(revoke::revoke)
}
