//! Credentials: minting a token under a lease, extending the lease, deleting the token.

pub mod database;
mod description;
mod error;
mod lease;
mod lifetime;
mod mint;
mod paths;
mod recent_deletions;
mod renewal;
mod ttl;

pub use lifetime::AskedExpiry;
pub use mint::Mint;
pub use mint::UncommittedToken;
pub use paths::credential_fields;
pub use paths::paths;
pub use recent_deletions::RecentDeletions;
pub use ttl::lease_end_bound;

use crate::engine::Engine;
use crate::framework::SecretType;

/// What the framework is told about the leases.
pub fn secret() -> SecretType<Engine> {
    SecretType::new(lease::SECRET_TYPE)
        .on_renew(renewal::renew)
        .on_revoke(lease::revoke)
}
