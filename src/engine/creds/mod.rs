//! Credentials: minting a token under a lease, extending the lease, deleting the token.

pub mod database;
mod description;
mod lease;
mod mint;
mod paths;
mod renewal;
mod ttl;

pub use lease::secret;
pub use mint::Mint;
pub use mint::UncommittedToken;
pub use paths::paths;
pub use ttl::lease_end_bound;
