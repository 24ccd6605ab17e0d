//! What the archived Go engine (`vault-plugin-secrets-datastax-astra`) left in the mount: its entries,
//! and the record of what this engine took over from it (docs/takeover.md).
//!
//! It only reads, removes and remembers; what is made of it is for [`crate::engine::takeover`].

mod clients;
mod entry;
mod keys;
mod record;
mod storage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(super) use entry::CallerMode;
pub(super) use entry::OldConfig;
pub(super) use entry::OldRole;
pub(super) use entry::OldToken;
pub(super) use entry::Unreadable;
pub(super) use keys::role_id;
pub(super) use record::ImportedConfig;
pub(super) use record::Record;
pub(super) use storage::Folder;
pub(super) use storage::OldEntries;

use self::clients::OldClients;
use self::record::Records;
use super::error::Error;
use super::host::Host;
use super::store::Store;
use crate::vault::Storage;

/// What is left of the archived engine in one mount.
pub(crate) struct ArchivedEngine {
    /// Its entries.
    pub entries: OldEntries,
    /// What was taken over.
    pub records: Records,
    /// Clients of its configs.
    pub clients: OldClients,
    /// How often `org/token` was used since this process started.
    pub org_token_uses: AtomicU64,
}

impl ArchivedEngine {
    /// What is left in `storage`, of which `store` is the part that this engine writes.
    pub(crate) fn new(storage: Arc<dyn Storage>, store: Store, host: Arc<Host>) -> Self {
        Self {
            entries: OldEntries::new(storage),
            records: Records::new(store, host),
            clients: OldClients::default(),
            org_token_uses: AtomicU64::default(),
        }
    }

    /// How many tokens that may live the archived engine has stored for the organizations of `config`.
    pub(crate) async fn tokens_of(&self, config: &str) -> Result<usize, Error> {
        let Some(record) = self.records.open().await else {
            return Ok(0);
        };
        let org_keys: BTreeSet<&str> = record.org_keys_of(config).collect();
        if org_keys.is_empty() {
            return Ok(0);
        }
        let tokens = self.entries.tokens().await?;
        let is_of_it = |token: &OldToken| {
            !token.client_id.is_empty() && org_keys.contains(token.org_id.as_str())
        };
        // What cannot be read may be of it.
        let of_it = tokens
            .iter()
            .filter(|(_, read)| read.as_ref().map_or(true, is_of_it));
        Ok(of_it.count())
    }
}
