//! Storage in memory.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use async_trait::async_trait;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use tokio::sync::Notify;

use super::super::Entry;
use super::super::Storage;
use super::super::StorageError;
use super::super::storage::page;
use super::WriteFault;

/// Storage in memory, for tests and tools.  It fails on request.
#[derive(Default)]
pub struct MemoryStorage {
    inner: Mutex<Inner>,
    hung: Notify,
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
    /// What reads show instead ([`WriteFault::hidden`]).
    cached: BTreeMap<String, Option<Entry>>,
    operations: Operations,
    read_only: bool,
    failure: Option<StorageError>,
    unreadable: Option<String>,
    fault: Option<WriteFault>,
    yields: bool,
}

/// A change of one entry.
enum Write<'a> {
    Put(Entry),
    Delete(&'a str),
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

    /// From now on reads and lists of keys that begin with `prefix` fail, or none does.
    pub fn set_unreadable(&self, prefix: Option<&str>) {
        self.lock().unreadable = prefix.map(str::to_owned);
    }

    /// From now on writes fail as `fault` says, or all work.
    pub fn set_write_fault(&self, fault: Option<WriteFault>) {
        self.lock().fault = fault;
    }

    /// From now on other tasks run before each write, as while a host answers, or no longer.
    pub fn set_yields(&self, yields: bool) {
        self.lock().yields = yields;
    }

    /// Another host reads what is stored ([`WriteFault::hidden`]).
    pub fn drop_cache(&self) {
        self.lock().cached.clear();
    }

    /// Waits for a write that never returns ([`WriteFault::hangs`]).
    pub async fn hung(&self) {
        self.hung.notified().await;
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

    async fn write(&self, write: Write<'_>) -> Result<(), StorageError> {
        let yields = self.lock().yields;
        if yields {
            tokio::task::yield_now().await;
        }
        let fault = {
            let mut inner = self.lock();
            inner.count(&write);
            match inner.take_fault(&write) {
                None => {
                    inner.check(true)?;
                    inner.cached.remove(write.key());
                    inner.apply(write);
                    return Ok(());
                }
                Some(fault) => {
                    if fault.applied {
                        if fault.hidden {
                            let key = write.key().to_owned();
                            let shown = inner.shown(&key);
                            inner.cached.insert(key, shown);
                        }
                        inner.apply(write);
                    }
                    fault
                }
            }
        };
        if fault.hangs {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        }
        Err(fault.error)
    }
}

impl Write<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete(key) => key,
        }
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

    fn check_read(&self, key: &str) -> Result<(), StorageError> {
        let is_unreadable = |prefix: &String| key.starts_with(prefix.as_str());
        if self.unreadable.as_ref().is_some_and(is_unreadable) {
            let text = "the host does not answer".to_owned();
            return Err(StorageError::Unreachable(text));
        }
        self.check(false)
    }

    fn count(&mut self, write: &Write<'_>) {
        match write {
            Write::Put(_) => self.operations.puts += 1,
            Write::Delete(_) => self.operations.deletes += 1,
        }
    }

    /// How this write fails, if it does.
    fn take_fault(&mut self, write: &Write<'_>) -> Option<WriteFault> {
        let fault = self.fault.as_mut()?;
        let counts = fault.deletions || matches!(write, Write::Put(_));
        if !counts || !write.key().starts_with(&fault.prefix) {
            return None;
        }
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let found = fault.clone();
        if found.once {
            self.fault = None;
        }
        if found.all_calls {
            self.failure = Some(found.error.clone());
        }
        Some(found)
    }

    fn apply(&mut self, write: Write<'_>) {
        match write {
            Write::Put(entry) => {
                self.entries.insert(entry.key.clone(), entry);
            }
            Write::Delete(key) => {
                self.entries.remove(key);
            }
        }
    }

    /// What a read shows.
    fn shown(&self, key: &str) -> Option<Entry> {
        match self.cached.get(key) {
            Some(cached) => cached.clone(),
            None => self.entries.get(key).cloned(),
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
        inner.check_read(prefix)?;
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
        inner.check_read(key)?;
        Ok(inner.shown(key))
    }

    async fn put(&self, entry: Entry) -> Result<(), StorageError> {
        self.write(Write::Put(entry)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.write(Write::Delete(key)).await
    }
}
