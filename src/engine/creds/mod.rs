//! Credentials: minting a token under a lease, extending the lease, deleting the token.

pub mod database;
mod description;
mod lease;
mod mint;
mod paths;
mod renewal;
mod term;

pub use lease::secret;
pub use mint::Fresh;
pub use mint::Mint;
pub use paths::paths;
pub use term::certain_end;
