//! A config in use: its client, its intents and what was learned about its organization.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use super::ConfigEntry;
use crate::astra::Client;
use crate::astra::Error;
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
    /// What was learned about the organization.
    pub health: Arc<Health>,
}

/// What the organization's answers showed, kept in memory for `status`.
#[derive(Default)]
pub struct Health {
    ignores_description: AtomicBool,
    ignores_expiry: AtomicBool,
    last_error: Mutex<Option<LastError>>,
}

/// The newest failure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastError {
    /// Its class, [`Error::kind`].
    pub class: &'static str,
    /// When.
    pub at: OffsetDateTime,
}

impl Health {
    /// Whether tokens come without their description: lost tokens cannot be found then.
    pub fn ignores_description(&self) -> bool {
        self.ignores_description.load(Ordering::Relaxed)
    }

    /// Whether tokens come without an expiry: only the end of the lease ends them then.
    pub fn ignores_expiry(&self) -> bool {
        self.ignores_expiry.load(Ordering::Relaxed)
    }

    /// The newest failure since this process started.
    pub fn last_error(&self) -> Option<LastError> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers what the newest token showed.
    pub fn minted(&self, ignores_description: bool, ignores_expiry: bool) {
        self.ignores_description
            .store(ignores_description, Ordering::Relaxed);
        self.ignores_expiry.store(ignores_expiry, Ordering::Relaxed);
    }

    /// Remembers a failure.
    pub fn failed(&self, error: &Error) {
        let last = LastError {
            class: error.kind(),
            at: OffsetDateTime::now_utc(),
        };
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}
