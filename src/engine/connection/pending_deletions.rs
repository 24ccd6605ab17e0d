//! Configs that were deleted and whose root tokens are still to be deleted.

use std::sync::Arc;

use super::ConfigEntry;
use crate::engine::host::Host;
use crate::engine::registry::EntryKind;
use crate::engine::registry::OpenError;
use crate::engine::registry::Registry;
use crate::engine::store::Key;
use crate::engine::store::Store;

/// The pending deletions of one mount, by the client id of the config's root token.
///
/// The lock of a name is held by a change of a config that has this root token, so that the token is
/// not deleted while a config begins to use it, and not forgotten while a config still has it.
pub(crate) type PendingDeletions = Registry<PendingDeletionKind>;

/// Pending deletions are used as they are stored.
pub(crate) struct PendingDeletionKind;

impl PendingDeletions {
    /// The pending deletions in `store`.
    pub(crate) fn new(store: Store, host: Arc<Host>) -> Self {
        Self::with_kind(PendingDeletionKind, store, host)
    }
}

impl EntryKind for PendingDeletionKind {
    type Stored = ConfigEntry;
    type Value = ConfigEntry;

    const NOUN: &'static str = "pending-deletion";
    const FOLDER: &'static str = Key::PENDING_DELETIONS;

    fn key(client_id: &str) -> Key {
        Key::pending_deletion(client_id)
    }

    async fn open(&self, _client_id: &str, entry: ConfigEntry) -> Result<ConfigEntry, OpenError> {
        Ok(entry)
    }
}
