//! Configs in use: each with its client, its intents and what was learned about its organization.

mod entry;
mod error;
mod health;
mod pending_deletions;
mod registry;
mod verify;

use std::sync::Arc;

pub use entry::ConfigEntry;
pub use entry::DEFAULT_CONCURRENCY;
pub use entry::DEFAULT_REQUEST_TIMEOUT;
pub use entry::DEFAULT_URL;
pub use entry::fingerprint;
pub use error::ClientError;
pub use health::Health;
pub use pending_deletions::PendingDeletions;
pub use registry::Configs;
pub use verify::VerifyError;
pub use verify::verify;

use super::intent::Ledger;
use crate::astra::Client;

/// The config that is meant where none is named.
pub const DEFAULT: &str = "default";

/// A config ready for use.
pub struct Connection {
    /// The config's name.
    pub name: String,
    /// What is stored.
    pub entry: ConfigEntry,
    /// The organization's client; no other config shares it.
    pub client: Client,
    /// The config's intents; they outlive a change of the config.
    pub ledger: Arc<Ledger>,
    /// What was learned about the organization.
    pub health: Arc<Health>,
}
