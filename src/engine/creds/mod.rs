//! Credentials: minting a token under a lease, extending the lease, deleting the token.

mod error;
mod lease;
mod paths;
mod renewal;
mod ttl;

pub use paths::paths;
pub use ttl::lease_end_bound;

use crate::engine::Engine;
use crate::framework::SecretType;

/// What the framework is told about the leases.
pub fn secret() -> SecretType<Engine> {
    SecretType::new(lease::SECRET_TYPE)
        .on_renew(renewal::renew)
        .on_revoke(lease::revoke)
}
