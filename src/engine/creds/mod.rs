//! Credentials: minting a token under a lease, extending the lease, deleting the token.

mod error;
mod issue;
mod issued;
mod lease;
mod paths;
mod renewal;
mod ttl;

pub use error::LeaseError;
pub use issue::issue;
pub use lease::SECRET_TYPE;
pub use lease::revoke;
pub use paths::paths;
pub use renewal::extend;
pub use renewal::renew;
pub use ttl::lease_end_bound;
