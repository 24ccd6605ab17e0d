//! A config in use: its client, its intents and what was learned about its organization.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::ConfigEntry;
use crate::astra::Client;
use crate::engine::intent::Ledger;

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
    /// What the organization turned out to ignore.
    pub quirks: Arc<Quirks>,
}

/// Features that an organization silently ignores, as its answers to mints showed.
#[derive(Default)]
pub struct Quirks {
    ignores_description: AtomicBool,
    ignores_expiry: AtomicBool,
}

impl Quirks {
    /// Whether tokens come without their description: lost tokens cannot be found then.
    pub fn ignores_description(&self) -> bool {
        self.ignores_description.load(Ordering::Relaxed)
    }

    /// Whether tokens come without an expiry: only the end of the lease ends them then.
    pub fn ignores_expiry(&self) -> bool {
        self.ignores_expiry.load(Ordering::Relaxed)
    }

    /// Remembers what the newest token showed.
    pub fn observe(&self, ignores_description: bool, ignores_expiry: bool) {
        self.ignores_description
            .store(ignores_description, Ordering::Relaxed);
        self.ignores_expiry.store(ignores_expiry, Ordering::Relaxed);
    }
}
