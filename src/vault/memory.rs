//! A host in memory, for tests and tools.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use parking_lot::MutexGuard;

use super::Entry;
use super::Event;
use super::Events;
use super::HostInfo;
use super::ReplicationState;
use super::Storage;
use super::StorageError;
use super::SystemError;
use super::SystemView;
use super::storage::page;

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

/// A system view with fixed answers, for tests and tools.
#[derive(Clone, Debug)]
pub struct FixedSystem {
    /// The default lease TTL.
    pub default_lease_ttl: Duration,
    /// The maximum lease TTL.
    pub max_lease_ttl: Duration,
    /// Whether the mount is being removed.
    pub tainted: bool,
    /// Whether the mount is local.
    pub local_mount: bool,
    /// The node's replication state.
    pub replication_state: ReplicationState,
    /// The host's version.
    pub version: String,
}

/// An event service that drops everything, for tests and tools.
pub struct NoEvents;

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

impl Default for FixedSystem {
    /// An active Vault Community node with its default lease times of 768 hours.
    fn default() -> Self {
        Self {
            default_lease_ttl: Duration::from_secs(768 * 3600),
            max_lease_ttl: Duration::from_secs(768 * 3600),
            tainted: false,
            local_mount: false,
            replication_state: ReplicationState(4096 + 8192),
            version: "1.21.0".to_owned(),
        }
    }
}

#[async_trait]
impl SystemView for FixedSystem {
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(self.default_lease_ttl)
    }

    async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(self.max_lease_ttl)
    }

    async fn tainted(&self) -> Result<bool, SystemError> {
        Ok(self.tainted)
    }

    async fn local_mount(&self) -> Result<bool, SystemError> {
        Ok(self.local_mount)
    }

    async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        Ok(self.replication_state)
    }

    async fn host_info(&self) -> Result<HostInfo, SystemError> {
        Ok(HostInfo {
            version: self.version.clone(),
            ..HostInfo::default()
        })
    }
}

#[async_trait]
impl Events for NoEvents {
    async fn send(&self, _event: Event) {}
}
