//! The record of what was taken over: which config and which role took the place of which.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::MutexGuard;

use super::entry::CallerMode;
use super::keys::role_id;
use crate::engine::error::Error;
use crate::engine::host::Host;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// What was taken over.  It stays for ever: leases of the archived engine may live for years.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    /// When the archived engine's entries were removed; until then the way back is open.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// The configs, by the key of the archived engine's config, which is what its leases say.
    #[serde(default)]
    pub configs: BTreeMap<String, ImportedConfig>,
    /// The roles, by [`role_id`].
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// What the operator left out, by the same keys.
    #[serde(default)]
    pub left_out: BTreeSet<String>,
}

/// The config that took the place of an old one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ImportedConfig {
    /// Its name.
    pub config: String,
    /// The organization that it was for then, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// How `org/token` answers.
    #[serde(default)]
    pub caller_mode: CallerMode,
}

/// The record of one mount, if there is one.
pub(crate) struct Records {
    store: Store,
    host: Arc<Host>,
    /// What storage holds; only known while this node alone may write.
    cached: Mutex<Option<Option<Arc<Record>>>>,
    /// Held while the record is read.
    access: AsyncMutex<()>,
    /// Held while something is taken over.
    changing: AsyncMutex<()>,
}

impl Record {
    /// Whether the way back to the archived engine is open.
    pub(crate) fn is_open(&self) -> bool {
        self.finished_at.is_none()
    }

    /// The config that took the place of the old one of `org_key`.
    pub(crate) fn config_of(&self, org_key: &str) -> Option<&str> {
        let imported = self.configs.get(org_key)?;
        Some(&imported.config)
    }

    /// The keys of the old configs whose place `config` took.
    pub(crate) fn org_keys_of<'a>(&'a self, config: &'a str) -> impl Iterator<Item = &'a str> {
        let of_it = move |(_, imported): &(&String, &ImportedConfig)| imported.config == config;
        self.configs
            .iter()
            .filter(of_it)
            .map(|(org_key, _)| org_key.as_str())
    }

    /// The keys of the archived engine's configs, each with the config that took its place, if one did.
    pub(crate) fn organizations(&self) -> BTreeMap<&str, Option<&ImportedConfig>> {
        // Roles are left out too; the key of an organization has no colon.
        let left_out = self.left_out.iter().filter(|key| !key.contains(':'));
        let left_out = left_out.map(|org_key| (org_key.as_str(), None));
        let imported = self.configs.iter();
        let imported = imported.map(|(org_key, config)| (org_key.as_str(), Some(config)));
        left_out.chain(imported).collect()
    }

    /// What the archived engine needs to know of a lease on a new token, so that it can renew and revoke
    /// it; nothing for configs that it does not have.
    pub(crate) fn lease_data(
        &self,
        config: &str,
        role: &str,
        client_id: &str,
    ) -> Map<String, Value> {
        let mut data = Map::new();
        let of_role = self.org_keys_of(config).find_map(|org_key| {
            let prefix = role_id(org_key, "");
            let mut roles = self.roles.iter().filter(|(_, name)| *name == role);
            let old_name = roles.find_map(|(id, _)| id.strip_prefix(&prefix));
            old_name.map(|old_name| (org_key, old_name))
        });
        let any = || self.org_keys_of(config).next();
        let Some((org_key, name)) = of_role.or_else(|| any().map(|org_key| (org_key, role))) else {
            return data;
        };
        for (field, value) in [
            ("orgId", org_key),
            ("roleName", name),
            ("clientId", client_id),
            ("tokenId", client_id),
        ] {
            data.insert(field.to_owned(), value.into());
        }
        data
    }
}

impl Records {
    /// The record in `store`.
    pub(crate) fn new(store: Store, host: Arc<Host>) -> Self {
        Self {
            store,
            host,
            cached: Mutex::default(),
            access: AsyncMutex::default(),
            changing: AsyncMutex::default(),
        }
    }

    /// The record; `None` where nothing was taken over.
    pub(crate) async fn find(&self) -> Result<Option<Arc<Record>>, StoreError> {
        let caches = self.host.may_write_recently().await;
        if !caches {
            *self.cached.lock() = None;
        } else if let Some(known) = &*self.cached.lock() {
            return Ok(known.clone());
        }
        let _access = self.access.lock().await;
        if caches && let Some(known) = &*self.cached.lock() {
            return Ok(known.clone());
        }
        let found = self.store.get::<Record>(&Key::takeover()).await?;
        let found = found.map(Arc::new);
        if caches {
            *self.cached.lock() = Some(found.clone());
        }
        Ok(found)
    }

    /// The record while the way back is open; `None` also where it cannot be read, which is logged: new
    /// tokens do not depend on it.
    pub(crate) async fn open(&self) -> Option<Arc<Record>> {
        match self.find().await {
            Ok(found) => found.filter(|record| record.is_open()),
            Err(error) => {
                tracing::error!(%error, "the record of what was taken over cannot be used");
                None
            }
        }
    }

    /// Stores the record; the next request uses it.
    pub(crate) async fn put(&self, record: &Record) -> Result<(), Error> {
        let _access = self.access.lock().await;
        // Whether a write that fails has happened is not known.
        *self.cached.lock() = None;
        self.store.put(&Key::takeover(), record).await?;
        *self.cached.lock() = Some(Some(Arc::new(record.clone())));
        Ok(())
    }

    /// Keeps others from taking something over meanwhile.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Another node changed the record.
    pub(crate) async fn invalidate(&self) {
        let _access = self.access.lock().await;
        *self.cached.lock() = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Record {
        serde_json::from_value(json!({
            "version": 1,
            "configs": {
                "org-a": {"config": "prod", "caller_mode": "standard"},
                "org-b": {"config": "prod", "caller_mode": "sidecar"},
                "org-c": {"config": "other"},
            },
            "roles": {"org-b:a:b": "a_b", "org-c:a:b": "a_b-other"},
        }))
        .unwrap()
    }

    #[test]
    fn a_lease_says_what_the_archived_engine_knows() {
        let record = record();
        let data = record.lease_data("prod", "a_b", "id");
        let expected =
            json!({"orgId": "org-b", "roleName": "a:b", "clientId": "id", "tokenId": "id"});
        assert_eq!(Value::Object(data), expected);
        // A role that it does not have: it can still revoke.
        let data = record.lease_data("prod", "new", "id");
        let expected =
            json!({"orgId": "org-a", "roleName": "new", "clientId": "id", "tokenId": "id"});
        assert_eq!(Value::Object(data), expected);
        assert!(record.lease_data("unknown", "a_b", "id").is_empty());
    }

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let record = record();
        assert_eq!(record.config_of("org-c"), Some("other"));
        assert!(record.is_open());
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
