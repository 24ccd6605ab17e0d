//! Credentials: minting a token under a lease, extending the lease, deleting the token.

mod error;
mod issue;
mod issued;
mod lease;
mod paths;
mod renewal;
mod ttl;

pub(super) use error::LeaseError;
pub(super) use issue::issue;
pub(super) use lease::SECRET_TYPE;
pub(super) use lease::revoke;
pub(super) use paths::paths;
pub(super) use renewal::extend;
pub(super) use renewal::renew;
pub(super) use ttl::lease_end_bound;
