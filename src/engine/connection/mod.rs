//! Configs in use: each with its client, its intents and what was learned about its organization.

mod entry;
mod error;
mod health;
mod pending_deletions;
mod registry;
mod replaced_roots;
mod shared_roots;
mod verify;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

pub(super) use entry::ConfigEntry;
pub(super) use entry::DEFAULT_CONCURRENCY;
pub(super) use entry::DEFAULT_REQUEST_TIMEOUT;
pub(super) use entry::DEFAULT_URL;
pub(super) use entry::NewRoot;
pub(super) use entry::RootLife;
pub(super) use entry::fingerprint;
pub(super) use error::ClientError;
pub(super) use health::Health;
pub(super) use health::Seen;
pub(super) use pending_deletions::PendingDeletions;
pub(super) use registry::Configs;
pub(super) use replaced_roots::ReplacedRoots;
pub(super) use shared_roots::OtherRoots;
pub(super) use verify::Verified;
pub(super) use verify::VerifyError;
pub(super) use verify::verify;

use super::intent::Ledger;
use crate::astra::Client;

impl Connection {
    /// Whether the config is being deleted or is deleted.  Who does something that is to be cleared up notes
    /// it first and asks then, and a deletion says so before it looks for notes: one of the two sees the
    /// other.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }

    /// A deletion of the config begins, or is given up.
    pub(crate) fn set_ending(&self, is_ending: bool) {
        self.is_ending.store(is_ending, Ordering::SeqCst);
    }

    /// Whether the organization keeps no descriptions, as the newest token or the newest list shows:
    /// tokens cannot be counted then, and lost ones cannot be found.
    pub(crate) fn ignores_description(&self) -> bool {
        self.lists_no_descriptions() || self.health.ignores_description()
    }

    /// Whether `max_active` cannot be enforced: the newest list shows no descriptions, or two mints in a
    /// row came back without theirs.
    pub(crate) fn cannot_count_tokens(&self) -> bool {
        self.lists_no_descriptions() || self.health.certainly_ignores_description()
    }

    /// Whether the newest list shows tokens, and no description where there has to be one.
    pub(crate) fn lists_no_descriptions(&self) -> bool {
        let list = self.client.last_list();
        list.is_some_and(|list| list.descriptions.are_missing())
    }
}

/// The config that is meant where none is named.
pub(super) const DEFAULT: &str = "default";

/// A config ready for use.
pub(crate) struct Connection {
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
    /// Whether the config is being deleted: then no mint begins, and no custom Astra role is changed.
    is_ending: Arc<AtomicBool>,
}
