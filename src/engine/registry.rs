//! The registry of one kind of named entry (configs, roles, static roles, pending deletions).
//!
//! Entries are read from storage once and then served from memory, as long as this node may write:
//! then only this node changes them.  A node that may not write reads storage each time, because
//! not every change reaches it as an invalidation (a restored snapshot does not).
//!
//! A write that failed may have happened, or happen yet: a host that loses its leadership does not know,
//! and its cache shows the former entry all the same.  So a read after it proves nothing until another
//! write of the same entry has succeeded ([`Registry::find_confirmed`]).
//!
//! Whatever concerns one name waits for that name only: there are two locks per name, one for the
//! moment of reading or writing the entry, and [`Registry::lock`] for a whole change, which may
//! wait for Astra in between.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use parking_lot::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::OwnedMutexGuard;

use super::error::Error;
use super::host::Host;
use super::store::Key;
use super::store::Store;
use super::store::StoreError;

/// One kind of entry.
pub(crate) trait EntryKind: Send + Sync + 'static {
    /// The entry as it is stored.
    type Stored: Clone + DeserializeOwned + Send + Serialize + Sync;
    /// What requests use: the entry itself, or what is made of it.
    type Value: Send + Sync;

    /// What one entry is called, in logs.
    const NOUN: &'static str;
    /// The folder of all entries.
    const FOLDER: &'static str;

    /// Where the entry called `name` is stored.
    fn key(name: &str) -> Key;

    /// Makes of the stored entry what requests use.
    fn open(
        &self,
        name: &str,
        stored: Self::Stored,
    ) -> impl Future<Output = Result<Self::Value, OpenError>> + Send;
}

/// Why an entry that was read cannot be used.
pub(crate) enum OpenError {
    /// The entry makes no sense.
    Corrupt(Error),
    /// The host failed.
    Host(Error),
}

/// What is stored under a name.
pub(crate) enum Loaded<T> {
    /// An entry that can be used.
    Valid(Arc<T>),
    /// An entry that cannot be used.
    Corrupt(Corrupt),
    /// Nothing.
    Missing,
}

/// Why a stored entry cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct Corrupt {
    /// The reason and the remedy.
    pub error: Error,
    /// Whether a newer version of the engine wrote it: a write must not replace what it says.
    pub is_newer: bool,
}

/// The entries of one kind in one mount.
pub(crate) struct Registry<K: EntryKind> {
    pub(super) kind: K,
    store: Store,
    host: Arc<Host>,
    cached: Mutex<HashMap<String, Arc<K::Value>>>,
    /// The names of entries whose last write failed.
    unconfirmed: Mutex<BTreeSet<String>>,
    /// Held while an entry is read or written.
    access: NameLocks,
    /// Held while an entry is changed, across calls to Astra.
    changes: NameLocks,
}

/// A lock for each name.
#[derive(Default)]
struct NameLocks(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl Corrupt {
    /// Whether a write may take the entry's place; the error where it may not.
    pub(crate) fn check_replaceable(self) -> Result<(), Error> {
        if self.is_newer {
            Err(self.error)
        } else {
            Ok(())
        }
    }

    /// The reason, for a deletion that was asked for with `force`.
    ///
    /// # Errors
    /// The reason, where it was asked for without: what the entry says should not be lost unseen.
    pub(crate) fn check_forced(self, force: bool) -> Result<Error, Error> {
        match force {
            true => Ok(self.error),
            false => Err(self.error),
        }
    }
}

impl<T> Loaded<T> {
    /// The entry that a write changes; `None` where it makes a new one, perhaps in the place of one that
    /// cannot be used.
    ///
    /// # Errors
    /// The entry may not be replaced, because a newer version wrote it.
    pub(crate) fn replaceable(self) -> Result<Option<Arc<T>>, Error> {
        match self {
            Self::Valid(value) => Ok(Some(value)),
            Self::Missing => Ok(None),
            Self::Corrupt(corrupt) => corrupt.check_replaceable().map(|()| None),
        }
    }
}

impl<K: EntryKind> Registry<K> {
    /// The entries of `kind` in `store`.
    pub(crate) fn with_kind(kind: K, store: Store, host: Arc<Host>) -> Self {
        Self {
            kind,
            store,
            host,
            cached: Mutex::default(),
            unconfirmed: Mutex::default(),
            access: NameLocks::default(),
            changes: NameLocks::default(),
        }
    }

    /// The entry called `name`, which must be usable if there is one.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Arc<K::Value>>, Error> {
        match self.load(name).await? {
            Loaded::Valid(value) => Ok(Some(value)),
            Loaded::Missing => Ok(None),
            Loaded::Corrupt(corrupt) => Err(corrupt.error),
        }
    }

    /// What is stored under `name`.  The error is the host's; that the entry cannot be used is an
    /// answer.
    pub(crate) async fn load(&self, name: &str) -> Result<Loaded<K::Value>, Error> {
        let caches = self.host.may_write_recently().await;
        if !caches {
            self.cached().clear();
        } else if let Some(value) = self.cached().get(name) {
            return Ok(Loaded::Valid(Arc::clone(value)));
        }
        let _access = self.access.lock(name).await;
        if caches && let Some(value) = self.cached().get(name) {
            return Ok(Loaded::Valid(Arc::clone(value)));
        }
        // A request that only reads need not know.
        if caches && self.is_unconfirmed(name) {
            let _ = Box::pin(self.rewrite(name)).await;
        }
        // On the heap, because most entries are in memory, and every request would be larger for it.
        let loaded = Box::pin(self.read(name)).await?;
        match &loaded {
            Loaded::Valid(value) if caches && !self.is_unconfirmed(name) => {
                self.cached().insert(name.to_owned(), Arc::clone(value));
            }
            Loaded::Corrupt(Corrupt { error, .. }) => {
                tracing::error!(kind = K::NOUN, name, %error, "a stored entry cannot be used");
            }
            Loaded::Valid(_) | Loaded::Missing => {}
        }
        Ok(loaded)
    }

    /// What is stored under each name, sorted by name.
    pub(crate) async fn load_all(&self) -> Result<Vec<(String, Loaded<K::Value>)>, Error> {
        let mut all = Vec::new();
        for name in self.names().await? {
            let loaded = self.load(&name).await?;
            all.push((name, loaded));
        }
        Ok(all)
    }

    /// The names of the entries that are `wanted`, and, marked so, of those that cannot be read: they
    /// may be.
    pub(crate) async fn names_where(
        &self,
        wanted: impl Fn(&K::Value) -> bool + Send,
    ) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (name, loaded) in self.load_all().await? {
            match loaded {
                Loaded::Valid(value) if wanted(&value) => names.push(name),
                Loaded::Corrupt(_) => names.push(format!("{name} (cannot be read)")),
                Loaded::Valid(_) | Loaded::Missing => {}
            }
        }
        Ok(names)
    }

    /// The names under which something is stored, sorted.
    pub(crate) async fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list(K::FOLDER).await?)
    }

    /// Keeps others from changing the entry called `name`: a change reads, asks Astra, and then writes.
    pub(crate) async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        self.changes.lock(name).await
    }

    /// [`Registry::lock`] if the entry is not being changed.
    pub(crate) fn try_lock(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        self.changes.of(name).try_lock_owned().ok()
    }

    /// Stores `entry` under `name`; the next request uses it.
    pub(crate) async fn put(&self, name: &str, entry: K::Stored) -> Result<Arc<K::Value>, Error> {
        let _access = self.access.lock(name).await;
        // What is made of the entry comes first, so that a failure stores nothing.
        let value = self.kind.open(name, entry.clone()).await;
        let value = Arc::new(value.map_err(OpenError::into_error)?);
        // Whether a write that fails has happened is not known, so the next request reads it.
        self.cached().remove(name);
        self.unconfirmed().insert(name.to_owned());
        self.store.put(&K::key(name), &entry).await?;
        self.unconfirmed().remove(name);
        self.cached().insert(name.to_owned(), Arc::clone(&value));
        Ok(value)
    }

    /// Removes the entry called `name`.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let _access = self.access.lock(name).await;
        self.cached().remove(name);
        let key = K::key(name);
        self.unconfirmed().insert(name.to_owned());
        // A deletion that fails may have happened all the same, and then what follows it must too:
        // no one can ask for it again.
        if let Err(error) = self.store.delete(&key).await
            && !matches!(self.store.get::<K::Stored>(&key).await, Ok(None))
        {
            return Err(error.into());
        }
        self.unconfirmed().remove(name);
        Ok(())
    }

    /// The entry called `name`, where what is read is certain to be what storage holds.
    ///
    /// # Errors
    /// Also where its last write failed and it cannot be written again.
    pub(crate) async fn find_confirmed(&self, name: &str) -> Result<Option<Arc<K::Value>>, Error> {
        self.confirm(name).await?;
        self.find(name).await
    }

    /// The names of entries of which it is not certain what storage holds.
    pub(crate) async fn confirm_all(&self) -> Vec<String> {
        let names: Vec<String> = self.unconfirmed().iter().cloned().collect();
        let mut left = Vec::new();
        for name in names {
            if self.confirm(&name).await.is_err() {
                left.push(name);
            }
        }
        left
    }

    /// Makes certain that reads of the entry called `name` show what storage holds: where its last write
    /// failed, writes what they show.
    async fn confirm(&self, name: &str) -> Result<(), Error> {
        let _access = self.access.lock(name).await;
        match self.is_unconfirmed(name) {
            true => self.rewrite(name).await,
            false => Ok(()),
        }
    }

    /// The caller keeps others from reading and writing the entry.
    async fn rewrite(&self, name: &str) -> Result<(), Error> {
        self.store.rewrite(&K::key(name)).await?;
        self.unconfirmed().remove(name);
        Ok(())
    }

    fn is_unconfirmed(&self, name: &str) -> bool {
        self.unconfirmed().contains(name)
    }

    fn unconfirmed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unconfirmed.lock()
    }

    /// Another node changed the entry called `name`.
    pub(crate) async fn invalidate(&self, name: &str) {
        // A read that is in flight may have seen the former entry.
        let _access = self.access.lock(name).await;
        self.cached().remove(name);
    }

    async fn read(&self, name: &str) -> Result<Loaded<K::Value>, Error> {
        let entry = match self.store.get(&K::key(name)).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Loaded::Missing),
            Err(StoreError::Storage(error)) => return Err(error.into()),
            Err(error) => {
                let is_newer = matches!(error, StoreError::TooNew { .. });
                let error = error.into();
                return Ok(Loaded::Corrupt(Corrupt { error, is_newer }));
            }
        };
        match self.kind.open(name, entry).await {
            Ok(value) => Ok(Loaded::Valid(Arc::new(value))),
            Err(OpenError::Host(error)) => Err(error),
            Err(OpenError::Corrupt(error)) => {
                let is_newer = false;
                Ok(Loaded::Corrupt(Corrupt { error, is_newer }))
            }
        }
    }

    fn cached(&self) -> MutexGuard<'_, HashMap<String, Arc<K::Value>>> {
        self.cached.lock()
    }
}

impl OpenError {
    fn into_error(self) -> Error {
        match self {
            Self::Corrupt(error) | Self::Host(error) => error,
        }
    }
}

impl NameLocks {
    async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        self.of(name).lock_owned().await
    }

    fn of(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock();
        // Locks that are neither held nor waited for are of no use.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(name.to_owned()).or_default())
    }
}
