//! The engine's entries in the mount's storage: JSON with a version number, under `v1/`.
//!
//! The keys at the top (`config/`, `role/`, `token/`) belong to the archived Go engine and stay
//! free, so that its mounts can be taken over one day.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Classified;
use super::error::Fault;
use crate::vault::Entry;
use crate::vault::Storage;
use crate::vault::StorageError;

/// The layout that this version writes and reads.
const VERSION: u32 = 1;

/// Typed access to the mount's storage.
#[derive(Clone)]
pub(crate) struct Store {
    storage: Arc<dyn Storage>,
}

/// Where something is stored.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    path: String,
    seal_wrap: bool,
}

/// Why an entry could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The host's storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The entry is damaged.  The cause is not shown: it could quote a secret.
    #[error(
        "the storage entry {key} is not what this engine wrote (line {line}, column {column}): \
         write it again"
    )]
    Damaged {
        /// The storage key.
        key: String,
        /// Where the JSON stopped making sense.
        line: usize,
        /// Where the JSON stopped making sense.
        column: usize,
    },
    /// The entry was written by a newer version of the engine.
    #[error(
        "the storage entry {key} has version {found}, this engine reads up to {VERSION}: upgrade \
         the plugin"
    )]
    TooNew {
        /// The storage key.
        key: String,
        /// The version found.
        found: u32,
    },
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    value: &'a T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl Key {
    /// The mount's own identity.
    pub(crate) fn mount() -> Self {
        Self::plain("v1/mount")
    }

    /// A config, seal-wrapped: it holds the root token.
    pub(crate) fn config(name: &str) -> Self {
        Self {
            path: format!("v1/config/{name}"),
            seal_wrap: true,
        }
    }

    /// A role.
    pub(crate) fn role(name: &str) -> Self {
        Self::plain(format!("v1/role/{name}"))
    }

    /// A static role, seal-wrapped: it holds its token.
    pub(crate) fn static_role(name: &str) -> Self {
        Self {
            path: format!("v1/static-role/{name}"),
            seal_wrap: true,
        }
    }

    /// A deleted config whose root token, of this client id, is to be deleted; seal-wrapped too.
    pub(crate) fn pending_deletion(client_id: &str) -> Self {
        Self {
            path: format!("v1/pending-deletion/{client_id}"),
            seal_wrap: true,
        }
    }

    /// What failed when a config's root token was to be rotated.
    pub(crate) fn root_rotation(config: &str) -> Self {
        Self::plain(format!("v1/rotation/root/{config}"))
    }

    /// What failed when a static role's token was to be rotated.
    pub(crate) fn static_rotation(name: &str) -> Self {
        Self::plain(format!("v1/rotation/static/{name}"))
    }

    /// What failed when the root token of a deleted config was to be deleted.
    pub(crate) fn deletion_failures(client_id: &str) -> Self {
        Self::plain(format!("v1/rotation/pending-deletion/{client_id}"))
    }

    /// The record of what was taken over from the archived Go engine.
    pub(crate) fn takeover() -> Self {
        Self::plain(Self::TAKEOVER)
    }

    /// A block of intents.
    pub(crate) fn intent(config: &str, block: impl fmt::Display) -> Self {
        Self::plain(format!("v1/intent/{config}/{block}"))
    }

    /// The note that a role's custom Astra role in the organization `org_id` may be out of step.
    pub(crate) fn custom_role(config: &str, org_id: &str, role: &str) -> Self {
        Self::plain(format!("v1/custom-role/{config}/{org_id}/{role}"))
    }

    /// The note that a static role's custom Astra role in the organization `org_id` may be out of step.
    pub(crate) fn static_custom_role(config: &str, org_id: &str, name: &str) -> Self {
        Self::plain(format!("v1/static-custom-role/{config}/{org_id}/{name}"))
    }

    /// Where the record of what was taken over is.
    pub(crate) const TAKEOVER: &'static str = "v1/takeover";
    /// The folder of all configs.
    pub(crate) const CONFIGS: &'static str = "v1/config/";
    /// The folder of all roles.
    pub(crate) const ROLES: &'static str = "v1/role/";
    /// The folder of all static roles.
    pub(crate) const STATIC_ROLES: &'static str = "v1/static-role/";
    /// The folder of all deleted configs whose root tokens are to be deleted.
    pub(crate) const PENDING_DELETIONS: &'static str = "v1/pending-deletion/";
    /// The folder of all intents: a folder per config.
    pub(crate) const INTENTS: &'static str = "v1/intent/";

    /// The folder of all notes about custom roles of roles: a folder per config, and in it one per organization.
    pub(crate) const CUSTOM_ROLES: &'static str = "v1/custom-role/";
    /// The folder of all notes about custom roles of static roles: a folder per config, and in it one per organization.
    pub(crate) const STATIC_CUSTOM_ROLES: &'static str = "v1/static-custom-role/";

    /// The folder of a config's blocks of intents.
    pub(crate) fn intents(config: &str) -> String {
        format!("{}{config}/", Self::INTENTS)
    }

    fn plain(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            seal_wrap: false,
        }
    }
}

impl Store {
    /// The store over the host's `storage`.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// The entry at `key`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<T>, StoreError> {
        let Some(entry) = self.storage.get(&key.path).await? else {
            return Ok(None);
        };
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            key: key.path.clone(),
            line: error.line(),
            column: error.column(),
        };
        let VersionOnly { version } = serde_json::from_slice(&entry.value).map_err(damaged)?;
        if version > VERSION {
            return Err(StoreError::TooNew {
                key: key.path.clone(),
                found: version,
            });
        }
        serde_json::from_slice(&entry.value)
            .map(Some)
            .map_err(damaged)
    }

    /// Stores `value`; durable when this returns.
    pub(crate) async fn put<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), StoreError> {
        let value = serde_json::to_vec(&Versioned {
            version: VERSION,
            value,
        })
        .map_err(|error| StorageError::Refused(format!("{} does not encode: {error}", key.path)))?;
        let entry = Entry {
            key: key.path.clone(),
            value,
            seal_wrap: key.seal_wrap,
        };
        Ok(self.storage.put(entry).await?)
    }

    /// Writes what is at `key` again as it is, or removes it again where nothing is.
    ///
    /// Where this succeeds, what reads show at `key` is what storage holds: an earlier write that failed has
    /// been replaced, and can no longer take effect.
    pub(crate) async fn rewrite(&self, key: &Key) -> Result<(), StoreError> {
        match self.storage.get(&key.path).await? {
            Some(entry) => {
                let seal_wrap = key.seal_wrap;
                Ok(self.storage.put(Entry { seal_wrap, ..entry }).await?)
            }
            None => self.delete(key).await,
        }
    }

    /// Removes the entry at `key`.
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        Ok(self.storage.delete(&key.path).await?)
    }

    /// The names below `folder`, sorted, folders without their slash.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = self
            .storage
            .list(folder)
            .await?
            .into_iter()
            .map(|name| name.trim_end_matches('/').to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Classified for StoreError {
    fn fault(&self) -> Fault {
        match self {
            Self::Storage(error) => error.fault(),
            Self::Damaged { .. } | Self::TooNew { .. } => Fault::Engine,
        }
    }
}
