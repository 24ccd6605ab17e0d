//! All static roles of a mount, served from memory after the first read.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::RwLock;

use super::entry::StaticRoleEntry;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::vault::Error;

/// The static roles of one mount.
pub struct StaticRoles {
    store: Store,
    known: RwLock<HashMap<String, Arc<StaticRoleEntry>>>,
    /// Held by whoever changes a role, across its calls to Astra.
    changes: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl StaticRoles {
    /// The static roles in `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: RwLock::default(),
            changes: Mutex::default(),
        }
    }

    /// What is stored under `name`: a role, or the tokens that a deleted one left.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<StaticRoleEntry>>, Error> {
        if let Some(role) = self.known.read().await.get(name) {
            return Ok(Some(Arc::clone(role)));
        }
        let mut known = self.known.write().await;
        if let Some(role) = known.get(name) {
            return Ok(Some(Arc::clone(role)));
        }
        let Some(entry) = self.store.get(&Key::static_role(name)).await? else {
            return Ok(None);
        };
        let role = Arc::new(entry);
        known.insert(name.to_owned(), Arc::clone(&role));
        Ok(Some(role))
    }

    /// The role called `name`.
    pub async fn live(&self, name: &str) -> Result<Option<Arc<StaticRoleEntry>>, Error> {
        Ok(self.find(name).await?.filter(|role| role.is_live()))
    }

    /// All names under which something is stored, sorted.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list(Key::STATIC_ROLES).await?)
    }

    /// The names of what needs the config called `config`.
    pub async fn of_config(&self, config: &str) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for name in self.names().await? {
            let role = self.find(&name).await?;
            if role.is_some_and(|role| role.config == config) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// One change of the role called `name` at a time: a change reads, asks Astra, and then writes.
    pub async fn changing(&self, name: &str) -> OwnedMutexGuard<()> {
        self.change_lock(name).await.lock_owned().await
    }

    /// [`StaticRoles::changing`] if nobody is changing the role.
    pub async fn try_changing(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        self.change_lock(name).await.try_lock_owned().ok()
    }

    async fn change_lock(&self, name: &str) -> Arc<Mutex<()>> {
        let mut changes = self.changes.lock().await;
        // Locks that nobody holds or awaits are of no use.
        changes.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(changes.entry(name.to_owned()).or_default())
    }

    /// Stores `entry` under `name`.
    pub async fn put(&self, name: &str, entry: StaticRoleEntry) -> Result<(), Error> {
        let mut known = self.known.write().await;
        // If the write fails, only storage knows what it holds.
        known.remove(name);
        self.store.put(&Key::static_role(name), &entry).await?;
        known.insert(name.to_owned(), Arc::new(entry));
        Ok(())
    }

    /// Removes what is stored under `name`.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let mut known = self.known.write().await;
        known.remove(name);
        Ok(self.store.delete(&Key::static_role(name)).await?)
    }

    /// Another node changed the role called `name`.
    pub async fn forget(&self, name: &str) {
        self.known.write().await.remove(name);
    }
}
