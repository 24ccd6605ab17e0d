//! All configs of a mount, served from memory after the first read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::MutexGuard;
use tokio::sync::RwLock;
use tokio::sync::RwLockWriteGuard;

use super::ConfigEntry;
use super::Connection;
use super::connection::Health;
use crate::astra::Client;
use crate::engine::intent::Ledger;
use crate::engine::mount_id::Identity;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;
use crate::vault::Error;

/// The configs of one mount.
pub struct Configs {
    store: Store,
    identity: Arc<Identity>,
    /// How long lost tokens are looked for.
    settle: Duration,
    /// Held by whoever changes a config, across its calls to Astra; mints go on meanwhile.
    changes: Mutex<()>,
    slots: RwLock<HashMap<String, Slot>>,
}

/// What is in memory for one config name.
#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    /// Kept when the config changes: the intents belong to the name, not to its contents.
    ledger: Option<Arc<Ledger>>,
    health: Arc<Health>,
}

/// What is stored under a config's name.
pub enum Loaded {
    /// A config.
    Valid(Arc<Connection>),
    /// Something that cannot be used, and why.  Writing the config again replaces it.
    Corrupt(Error),
    /// Nothing.
    Missing,
}

/// Why a stored config cannot be used.
enum Unusable {
    /// The entry makes no sense.
    Broken(Error),
    /// The host failed, or the entry is a newer version's.
    Host(Error),
}

/// The configs while nobody else can change them.
pub struct ConfigsGuard<'a> {
    configs: &'a Configs,
    slots: RwLockWriteGuard<'a, HashMap<String, Slot>>,
}

impl Configs {
    /// The configs in `store`.
    pub fn new(store: Store, identity: Arc<Identity>, settle: Duration) -> Self {
        Self {
            store,
            identity,
            settle,
            changes: Mutex::new(()),
            slots: RwLock::default(),
        }
    }

    /// The config called `name`.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<Connection>>, Error> {
        if let Some(connection) = self
            .slots
            .read()
            .await
            .get(name)
            .and_then(|slot| slot.connection.clone())
        {
            return Ok(Some(connection));
        }
        self.lock().await.find(name).await
    }

    /// [`Configs::find`] for whoever must go on without a config whose entry cannot be read.
    pub async fn load(&self, name: &str) -> Result<Loaded, Error> {
        match self.lock().await.load(name).await {
            Ok(Some(connection)) => Ok(Loaded::Valid(connection)),
            Ok(None) => Ok(Loaded::Missing),
            Err(Unusable::Broken(error)) => {
                tracing::error!(config = name, %error, "the config cannot be used");
                Ok(Loaded::Corrupt(error))
            }
            Err(Unusable::Host(error)) => Err(error),
        }
    }

    /// The config called `name`; a clear error where there is none.
    pub async fn require(&self, name: &str) -> Result<Arc<Connection>, Error> {
        self.find(name).await?.ok_or_else(|| {
            Error::BadRequest(format!(
                "config \"{name}\" does not exist: write it first, with token=… at config/{name}"
            ))
        })
    }

    /// The names of all configs, sorted.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list(Key::CONFIGS).await?)
    }

    /// One change of a config at a time: a change reads, asks Astra, and then writes.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }

    /// Keeps everybody else from using configs, for the moment of a write.
    pub async fn lock(&self) -> ConfigsGuard<'_> {
        ConfigsGuard {
            configs: self,
            slots: self.slots.write().await,
        }
    }

    /// Another node changed the config called `name`.
    pub async fn forget(&self, name: &str) {
        if let Some(slot) = self.slots.write().await.get_mut(name) {
            slot.connection = None;
        }
    }

    /// The ledgers in use.
    pub async fn ledgers(&self) -> Vec<Arc<Ledger>> {
        self.slots
            .read()
            .await
            .values()
            .filter_map(|slot| slot.ledger.clone())
            .collect()
    }
}

impl ConfigsGuard<'_> {
    /// The config called `name`.
    pub async fn find(&mut self, name: &str) -> Result<Option<Arc<Connection>>, Error> {
        self.load(name).await.map_err(|unusable| match unusable {
            Unusable::Broken(error) | Unusable::Host(error) => error,
        })
    }

    async fn load(&mut self, name: &str) -> Result<Option<Arc<Connection>>, Unusable> {
        if let Some(connection) = self
            .slots
            .get(name)
            .and_then(|slot| slot.connection.clone())
        {
            return Ok(Some(connection));
        }
        let stored = self.configs.store.get(&Key::config(name)).await;
        match stored {
            Ok(Some(entry)) => self.connect(name, entry).await.map(Some),
            Ok(None) => Ok(None),
            Err(error @ StoreError::Damaged { .. }) => Err(Unusable::Broken(error.into())),
            Err(error) => Err(Unusable::Host(error.into())),
        }
    }

    /// Stores `entry` under `name`; the next request uses it.
    pub async fn put(&mut self, name: &str, entry: ConfigEntry) -> Result<Arc<Connection>, Error> {
        // What a config in use needs is stored first, so that a failure stores no config.
        self.configs.identity.mount_id().await?;
        // Whether a write that fails has happened is not known, so storage has the last word.
        self.forget(name);
        self.configs.store.put(&Key::config(name), &entry).await?;
        match self.connect(name, entry).await {
            Ok(connection) => Ok(connection),
            Err(Unusable::Broken(error) | Unusable::Host(error)) => Err(error),
        }
    }

    /// Removes the config called `name`.
    pub async fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.forget(name);
        Ok(self.configs.store.delete(&Key::config(name)).await?)
    }

    fn forget(&mut self, name: &str) {
        if let Some(slot) = self.slots.get_mut(name) {
            slot.connection = None;
        }
    }

    async fn connect(
        &mut self,
        name: &str,
        entry: ConfigEntry,
    ) -> Result<Arc<Connection>, Unusable> {
        let broken = |cause: String| {
            Unusable::Broken(Error::Internal(format!(
                "config \"{name}\" cannot be used: {cause}: write it again"
            )))
        };
        let settings = entry
            .client_config()
            .map_err(|error| broken(error.to_string()))?;
        let client = Client::new(settings).map_err(|error| broken(error.to_string()))?;
        let mount = self.configs.identity.mount_id().await;
        let mount = mount.map_err(Unusable::Host)?;
        let slot = self.slots.entry(name.to_owned()).or_default();
        let store = self.configs.store.clone();
        let settle = self.configs.settle;
        let ledger = slot.ledger.get_or_insert_with(|| {
            Arc::new(Ledger::new(name, store, mount).settling_after(settle))
        });
        let connection = Arc::new(Connection {
            name: name.to_owned(),
            entry,
            client,
            ledger: Arc::clone(ledger),
            health: Arc::clone(&slot.health),
        });
        slot.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}
