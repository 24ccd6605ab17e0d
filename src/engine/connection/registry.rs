//! All configs of a mount, each with its client, its ledger and its health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

use super::ConfigEntry;
use super::Connection;
use super::Health;
use super::error::ConnectionError;
use super::health::Observed;
use crate::astra::SharedLists;
use crate::astra::is_same_organization;
use crate::engine::error::Error;
use crate::engine::host::Host;
use crate::engine::intent::Ledger;
use crate::engine::intent::MountId;
use crate::engine::metrics::Metrics;
use crate::engine::mount_id::Identity;
use crate::engine::registry::EntryKind;
use crate::engine::registry::Loaded;
use crate::engine::registry::OpenError;
use crate::engine::registry::Registry;
use crate::engine::store::Key;
use crate::engine::store::Store;

/// The configs of one mount.
pub(crate) type Configs = Registry<ConfigKind>;

/// What configs need besides their entries.
pub(crate) struct ConfigKind {
    store: Store,
    identity: Arc<Identity>,
    late_create_window: Duration,
    metrics: Arc<Metrics>,
    /// Configs of one organization list its tokens together.
    lists: SharedLists,
    /// What outlives a change of a config, by name.
    lasting: Mutex<BTreeMap<String, Lasting>>,
}

/// What belongs to a config's name, not to its contents.
#[derive(Clone)]
struct Lasting {
    ledger: Arc<Ledger>,
    health: Arc<Health>,
    /// Whether the config is being deleted; once it is, one that is written under its name has another.
    is_ending: Arc<AtomicBool>,
}

impl Configs {
    /// The configs in `store`; `late_create_window` is how long lost tokens are looked for.
    pub(crate) fn new(
        store: Store,
        host: Arc<Host>,
        identity: Arc<Identity>,
        late_create_window: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        let kind = ConfigKind {
            store: store.clone(),
            identity,
            late_create_window,
            metrics,
            lists: SharedLists::default(),
            lasting: Mutex::default(),
        };
        Self::with_kind(kind, store, host)
    }

    /// The config called `name`; a clear error where there is none.
    pub(crate) async fn require(&self, name: &str) -> Result<Arc<Connection>, Error> {
        let found = self.find(name).await?;
        Ok(found.ok_or_else(|| ConnectionError::Unknown(name.to_owned()))?)
    }

    /// The configs that are for the organization with this id, as far as they can be read.
    pub(crate) async fn in_organization(
        &self,
        org_id: &str,
    ) -> Result<Vec<Arc<Connection>>, Error> {
        let is_for = |connection: &Connection| {
            let own = connection.entry.org_id.as_deref();
            own.is_some_and(|own| is_same_organization(own, org_id))
        };
        let all = self.load_all().await?.into_iter();
        let found = all.filter_map(|(_, loaded)| match loaded {
            Loaded::Valid(connection) => is_for(&connection).then_some(connection),
            Loaded::Corrupt(_) | Loaded::Missing => None,
        });
        Ok(found.collect())
    }

    /// The config called `name` is deleted: requests that still have it mint nothing, but those of one that
    /// is written under its name do.
    pub(crate) fn ended(&self, name: &str) {
        if let Some(lasting) = self.kind.lasting.lock().get_mut(name) {
            lasting.is_ending = Arc::default();
        }
    }

    /// The ledgers in use.
    pub(crate) fn ledgers(&self) -> Vec<Arc<Ledger>> {
        let lasting = self.kind.lasting.lock();
        lasting
            .values()
            .map(|lasting| Arc::clone(&lasting.ledger))
            .collect()
    }
}

impl ConfigKind {
    fn lasting(&self, name: &str, mount: MountId) -> Lasting {
        let mut lasting = self.lasting.lock();
        let known = lasting.entry(name.to_owned()).or_insert_with(|| {
            let ledger = Ledger::new(name, self.store.clone(), mount);
            Lasting {
                ledger: Arc::new(ledger.with_late_create_window(self.late_create_window)),
                health: Arc::default(),
                is_ending: Arc::default(),
            }
        });
        known.clone()
    }
}

impl EntryKind for ConfigKind {
    type Stored = ConfigEntry;
    type Value = Connection;

    const NOUN: &'static str = "config";
    const FOLDER: &'static str = Key::CONFIGS;

    fn key(name: &str) -> Key {
        Key::config(name)
    }

    async fn open(&self, name: &str, entry: ConfigEntry) -> Result<Connection, OpenError> {
        let client = entry.client().map_err(|source| {
            let name = name.to_owned();
            OpenError::Corrupt(ConnectionError::Unusable { name, source }.into())
        })?;
        let mount = self.identity.mount_id().await;
        let Lasting {
            ledger,
            health,
            is_ending,
        } = self.lasting(name, mount.map_err(OpenError::Host)?);
        client.share_lists(self.lists.clone());
        client.observe(Arc::new(Observed {
            health: Arc::clone(&health),
            other: self.metrics.observer(name),
        }));
        Ok(Connection {
            name: name.to_owned(),
            entry,
            client,
            ledger,
            health,
            is_ending,
        })
    }
}
