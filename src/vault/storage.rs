//! The mount's storage, which the host keeps and encrypts.

use async_trait::async_trait;

/// One stored value.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// The key relative to the mount.
    pub key: String,
    /// The bytes, by custom JSON.
    pub value: Vec<u8>,
    /// Whether the host should wrap it with its seal, where it can.
    pub seal_wrap: bool,
}

impl Entry {
    /// An entry that needs no seal wrap.
    pub fn new(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            seal_wrap: false,
        }
    }
}

/// Storage of one mount.
///
/// ```
/// use vault_plugin_secrets_astra::vault::memory::MemoryStorage;
/// use vault_plugin_secrets_astra::vault::{Entry, Storage, StorageError};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let storage = MemoryStorage::new();
/// storage.put(Entry::new("roles/reader", "{}")).await?;
/// storage.put(Entry::new("roles/team/writer", "{}")).await?;
/// assert_eq!(storage.list("").await?, ["roles/"]);
/// assert_eq!(storage.list("roles/").await?, ["reader", "team/"]);
/// storage.set_read_only(true);
/// let refused = storage.delete("roles/reader").await;
/// assert_eq!(refused, Err(StorageError::ReadOnly));
/// # Ok::<(), StorageError>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait Storage: Send + Sync {
    /// The direct children of `prefix` (empty, or ending in a slash); folders end in a slash.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError>;
    /// At most `limit` children (all if zero) that sort after `after` (all if empty), sorted.  Where
    /// the host cannot page, it lists all of them behind the scenes.
    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StorageError>;
    /// The entry at `key`.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StorageError>;
    /// Stores an entry; it is durable when this returns.
    async fn put(&self, entry: Entry) -> Result<(), StorageError>;
    /// Removes an entry; a missing one is fine.
    async fn delete(&self, key: &str) -> Result<(), StorageError>;
}

/// Why storage failed.  The host's fault, never the caller's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StorageError {
    /// This node may not write.
    #[error("cannot write to readonly storage")]
    ReadOnly,
    /// The host refused.
    #[error("storage refused: {0}")]
    Refused(String),
    /// The host did not answer: whether a write happened is unknown.
    #[error("storage is unreachable: {0}")]
    Unreachable(String),
}

/// The page of `keys` that `list_page` promises, for storage that cannot page by itself.
pub(crate) fn page(mut keys: Vec<String>, after: &str, limit: u32) -> Vec<String> {
    keys.sort_unstable();
    keys.retain(|key| key.as_str() > after);
    if limit > 0 {
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    keys
}
