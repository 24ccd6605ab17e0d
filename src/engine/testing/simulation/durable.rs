//! The mount's storage, which all nodes share, and what each node may do with it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use serde::Serialize;

use super::chance;
use crate::vault::Entry;
use crate::vault::Storage;
use crate::vault::StorageError;

/// What storage holds.
pub type Entries = BTreeMap<String, Entry>;

/// What cannot be read: the beginning of an entry, and what a newer version wrote.
const UNREADABLE: [&[u8]; 2] = [br#"{"version":1"#, br#"{"version":999}"#];

/// Storage that outlives every process.
#[derive(Default)]
pub struct Durable {
    entries: Mutex<Entries>,
    /// What the host's cache shows instead of entries of which a write failed, although it happened.
    cached: Mutex<BTreeMap<String, Option<Entry>>>,
    fault: Mutex<Option<WriteFault>>,
}

/// Writes that fail.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct WriteFault {
    /// How many writes work before.
    pub after: u8,
    /// How many fail then.
    pub times: u8,
    /// Whether they happen although the host says that they did not.
    pub written: bool,
    /// Whether the host's cache does not know that they did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// What a node may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Access {
    /// The active node.
    Write,
    /// A standby.
    Read,
    /// A node that lost its place while requests still run.
    None,
    /// The process is dead: nothing returns.
    Dead,
}

/// Storage as one node sees it.
pub struct NodeStorage {
    durable: Arc<Durable>,
    access: Arc<AtomicU8>,
}

impl Access {
    /// What the node with this `cell` may do now.
    pub fn of(cell: &AtomicU8) -> Self {
        match cell.load(Ordering::Relaxed) {
            0 => Self::Write,
            1 => Self::Read,
            2 => Self::None,
            _ => Self::Dead,
        }
    }
}

impl Durable {
    /// A copy of all entries.
    pub fn entries(&self) -> Entries {
        self.entries.lock().clone()
    }

    /// Puts a copy back.
    pub fn restore(&self, entries: Entries) {
        self.drop_cache();
        *self.entries.lock() = entries;
    }

    /// Another host reads what is stored.
    pub fn drop_cache(&self) {
        self.cached.lock().clear();
    }

    /// A copy of the entries about intents.
    pub fn intents(&self) -> Entries {
        let entries = self.entries.lock();
        let intents = entries
            .iter()
            .filter(|(key, _)| key.starts_with("v1/intent/"));
        intents
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect()
    }

    /// Damages an entry, or lets it be a newer version's; whether there is one.
    pub fn damage(&self, key: &str, newer: bool) -> bool {
        let mut entries = self.entries.lock();
        self.cached.lock().remove(key);
        let entry = entries.get_mut(key);
        let value = UNREADABLE[usize::from(newer)].to_vec();
        entry.map(|entry| entry.value = value).is_some()
    }

    /// Whether the entry was [damaged](Durable::damage).
    pub fn is_damaged(&self, key: &str) -> bool {
        let entries = self.entries.lock();
        let entry = entries.get(key);
        entry.is_some_and(|entry| UNREADABLE.contains(&entry.value.as_slice()))
    }

    /// Whether any entry is damaged.
    pub fn has_damage(&self) -> bool {
        let entries = self.entries.lock();
        let mut values = entries.values();
        values.any(|entry| UNREADABLE.contains(&entry.value.as_slice()))
    }

    /// Whether writes fail.
    pub fn is_failing(&self) -> bool {
        self.fault.lock().is_some()
    }

    /// Lets writes fail.
    pub fn fail(&self, fault: Option<WriteFault>) {
        *self.fault.lock() = fault;
    }

    /// The fault of a write that fails.
    fn verdict(&self) -> Option<WriteFault> {
        let mut planned = self.fault.lock();
        let fault = planned.as_mut()?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let found = *fault;
        fault.times -= 1;
        if fault.times == 0 {
            *planned = None;
        }
        Some(found)
    }
}

impl NodeStorage {
    /// `durable` for the node whose rights are in `access`.
    pub fn new(durable: Arc<Durable>, access: Arc<AtomicU8>) -> Self {
        Self { durable, access }
    }

    async fn reading(&self) -> Result<(), StorageError> {
        match Access::of(&self.access) {
            Access::Write | Access::Read => Ok(()),
            Access::None => Err(gone()),
            Access::Dead => std::future::pending().await,
        }
    }

    async fn write(
        &self,
        key: &str,
        change: impl FnOnce(&mut Entries),
    ) -> Result<(), StorageError> {
        pause().await;
        match Access::of(&self.access) {
            Access::Write => {}
            Access::Read => return Err(StorageError::ReadOnly),
            Access::None => return Err(gone()),
            Access::Dead => std::future::pending().await,
        }
        let failed = self.durable.verdict();
        if failed.is_none_or(|failed| failed.written) {
            let mut entries = self.durable.entries.lock();
            let mut cached = self.durable.cached.lock();
            match failed {
                Some(WriteFault { hidden: true, .. }) => {
                    let former = || entries.get(key).cloned();
                    cached.entry(key.to_owned()).or_insert_with(former);
                }
                _ => {
                    cached.remove(key);
                }
            }
            change(&mut entries);
        }
        pause().await;
        match (failed, Access::of(&self.access)) {
            (_, Access::Dead) => std::future::pending().await,
            (None, Access::Write) => Ok(()),
            // It happened, but no one says so.
            _ => Err(gone()),
        }
    }
}

fn gone() -> StorageError {
    StorageError::Unreachable("the host does not answer".to_owned())
}

/// A host is another process: others run meanwhile, and sometimes for long.
async fn pause() {
    match chance::draw(|rng| rng.u64(..10)) {
        0 => tokio::time::sleep(Duration::from_millis(chance::draw(|rng| rng.u64(1..=40)))).await,
        _ => tokio::task::yield_now().await,
    }
}

#[async_trait]
impl Storage for NodeStorage {
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.list_page(prefix, "", 0).await
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StorageError> {
        self.reading().await?;
        let entries = self.durable.entries.lock();
        let below = entries
            .range(prefix.to_owned()..)
            .map_while(|(key, _)| key.strip_prefix(prefix));
        let children: BTreeSet<&str> = below
            .map(|rest| match rest.find('/') {
                Some(end) => rest.get(..=end).unwrap_or(rest),
                None => rest,
            })
            .collect();
        let page = children.into_iter().filter(|child| *child > after);
        let most = if limit == 0 {
            usize::MAX
        } else {
            limit as usize
        };
        Ok(page.take(most).map(str::to_owned).collect())
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StorageError> {
        self.reading().await?;
        match self.durable.cached.lock().get(key) {
            Some(cached) => Ok(cached.clone()),
            None => Ok(self.durable.entries.lock().get(key).cloned()),
        }
    }

    async fn put(&self, entry: Entry) -> Result<(), StorageError> {
        let key = entry.key.clone();
        self.write(&key.clone(), |entries| {
            entries.insert(key, entry);
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.write(key, |entries| {
            entries.remove(key);
        })
        .await
    }
}
