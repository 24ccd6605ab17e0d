//! All roles of a mount, served from memory after the first read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::RwLock;
use tokio::sync::RwLockWriteGuard;

use super::RoleEntry;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;
use crate::vault::Error;

/// The roles of one mount.
pub struct Roles {
    store: Store,
    known: RwLock<HashMap<String, Arc<RoleEntry>>>,
    /// Held by whoever changes a role, across calls to Astra; other roles and mints go on meanwhile.
    changes: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

/// The roles while nobody else can change them.
pub struct RolesGuard<'a> {
    store: &'a Store,
    known: RwLockWriteGuard<'a, HashMap<String, Arc<RoleEntry>>>,
}

impl Roles {
    /// The roles in `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: RwLock::default(),
            changes: Mutex::default(),
        }
    }

    /// One change of the role called `name` at a time: a change reads, asks Astra, and then writes.
    pub async fn changing(&self, name: &str) -> OwnedMutexGuard<()> {
        self.change_lock(name).lock_owned().await
    }

    /// [`Roles::changing`] if nobody is changing the role.
    pub fn try_changing(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        self.change_lock(name).try_lock_owned().ok()
    }

    fn change_lock(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        // Locks that nobody holds or waits for are of no use.
        changes.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(changes.entry(name.to_owned()).or_default())
    }

    /// The role called `name`.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<RoleEntry>>, Error> {
        if let Some(role) = self.known.read().await.get(name) {
            return Ok(Some(Arc::clone(role)));
        }
        self.lock().await.find(name).await
    }

    /// [`Roles::find`] for whoever replaces or removes the role: an entry that cannot be read counts as
    /// none, and `true` says that there is one.
    pub async fn load(&self, name: &str) -> Result<(Option<Arc<RoleEntry>>, bool), Error> {
        match self.lock().await.load(name).await {
            Ok(role) => {
                let is_stored = role.is_some();
                Ok((role, is_stored))
            }
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(role = name, %error, "the role cannot be used");
                Ok((None, true))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all roles, sorted.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list(Key::ROLES).await?)
    }

    /// The names of the roles that use the config called `config`.
    pub async fn of_config(&self, config: &str) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for name in self.names().await? {
            if self
                .find(&name)
                .await?
                .is_some_and(|role| role.config == config)
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Keeps everybody else from changing roles.
    pub async fn lock(&self) -> RolesGuard<'_> {
        RolesGuard {
            store: &self.store,
            known: self.known.write().await,
        }
    }

    /// Another node changed the role called `name`.
    pub async fn forget(&self, name: &str) {
        self.known.write().await.remove(name);
    }
}

impl RolesGuard<'_> {
    /// The role called `name`.
    pub async fn find(&mut self, name: &str) -> Result<Option<Arc<RoleEntry>>, Error> {
        Ok(self.load(name).await?)
    }

    async fn load(&mut self, name: &str) -> Result<Option<Arc<RoleEntry>>, StoreError> {
        if let Some(role) = self.known.get(name) {
            return Ok(Some(Arc::clone(role)));
        }
        let Some(entry) = self.store.get::<RoleEntry>(&Key::role(name)).await? else {
            return Ok(None);
        };
        let role = Arc::new(entry);
        self.known.insert(name.to_owned(), Arc::clone(&role));
        Ok(Some(role))
    }

    /// Stores `entry` under `name`.
    pub async fn put(&mut self, name: &str, entry: RoleEntry) -> Result<(), Error> {
        // Whether a write that fails has happened is not known, so storage has the last word.
        self.known.remove(name);
        self.store.put(&Key::role(name), &entry).await?;
        self.known.insert(name.to_owned(), Arc::new(entry));
        Ok(())
    }

    /// Removes the role called `name`.
    pub async fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.known.remove(name);
        Ok(self.store.delete(&Key::role(name)).await?)
    }
}
