//! Storage in memory.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use async_trait::async_trait;
use parking_lot::Mutex;
use parking_lot::MutexGuard;

use super::super::Entry;
use super::super::Storage;
use super::super::StorageError;
use super::super::storage::page;

/// Storage in memory, for tests and tools.
#[derive(Default)]
pub struct MemoryStorage {
    inner: Mutex<Inner>,
}

/// How many calls a [`MemoryStorage`] has had, failed ones included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Operations {
    /// `list` and `list_page`.
    pub lists: usize,
    /// `get`.
    pub gets: usize,
    /// `put`.
    pub puts: usize,
    /// `delete`.
    pub deletes: usize,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, Entry>,
    operations: Operations,
    read_only: bool,
    failure: Option<StorageError>,
    working_puts: Option<usize>,
}

impl MemoryStorage {
    /// Empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on writes are refused with [`StorageError::ReadOnly`], or no longer.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// From now on every call fails with `failure`, or none does.
    pub fn set_failure(&self, failure: Option<StorageError>) {
        self.lock().failure = failure;
    }

    /// The next `count` puts work, those after it are refused; `None` lets all work.
    pub fn set_working_puts(&self, count: Option<usize>) {
        self.lock().working_puts = count;
    }

    /// How many calls there have been.
    pub fn operations(&self) -> Operations {
        self.lock().operations
    }

    /// All keys, whatever their depth.
    pub fn keys(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn check(&self, writes: bool) -> Result<(), StorageError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if writes && self.read_only => Err(StorageError::ReadOnly),
            None => Ok(()),
        }
    }

    fn children(&self, prefix: &str) -> Vec<String> {
        let below = self
            .entries
            .keys()
            .filter_map(|key| key.strip_prefix(prefix));
        let children = below.map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        });
        children.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let mut inner = self.lock();
        inner.operations.lists += 1;
        inner.check(false)?;
        Ok(inner.children(prefix))
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StorageError> {
        self.list(prefix).await.map(|keys| page(keys, after, limit))
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StorageError> {
        let mut inner = self.lock();
        inner.operations.gets += 1;
        inner.check(false)?;
        Ok(inner.entries.get(key).cloned())
    }

    async fn put(&self, entry: Entry) -> Result<(), StorageError> {
        let mut inner = self.lock();
        inner.operations.puts += 1;
        inner.check(true)?;
        match &mut inner.working_puts {
            Some(0) => return Err(StorageError::Refused("no more puts".to_owned())),
            Some(count) => *count -= 1,
            None => {}
        }
        inner.entries.insert(entry.key.clone(), entry);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let mut inner = self.lock();
        inner.operations.deletes += 1;
        inner.check(true)?;
        inner.entries.remove(key);
        Ok(())
    }
}
