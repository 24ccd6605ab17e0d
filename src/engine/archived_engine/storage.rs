//! Reading and removing the entries of the archived Go engine.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::entry::OldConfig;
use super::entry::OldRole;
use super::entry::OldToken;
use super::entry::Unreadable;
use super::entry::parse;
use super::keys;
use crate::engine::error::Error;
use crate::vault::Storage;

/// A folder of the archived engine, at the top of the mount's storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Folder {
    /// Its roles.
    Roles,
    /// The tokens that it minted.
    Tokens,
    /// Its configs.
    Configs,
}

/// The entries of the archived engine.
pub(crate) struct OldEntries {
    storage: Arc<dyn Storage>,
}

/// An entry, if it can be read.
type Read<T> = Result<T, Unreadable>;

impl Folder {
    /// The beginning of its keys.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Roles => "role/",
            Self::Tokens => "token/",
            Self::Configs => "config/",
        }
    }
}

impl OldEntries {
    /// The entries in `storage`.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// All keys in `folder`, sorted; below it too, as names may have slashes.
    pub(crate) async fn keys(&self, folder: Folder) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        let mut folders = vec![folder.prefix().to_owned()];
        while let Some(folder) = folders.pop() {
            for name in self.storage.list(&folder).await? {
                let key = format!("{folder}{name}");
                // An empty name is that of an entry whose key ends in the folder's slash.
                match name.ends_with('/') {
                    true => folders.push(key),
                    false => keys.push(key),
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// All configs, by their organization's key.
    pub(crate) async fn configs(&self) -> Result<Vec<(String, Read<OldConfig>)>, Error> {
        self.all(Folder::Configs).await
    }

    /// All roles, by what follows `role/` in their keys.
    pub(crate) async fn roles(&self) -> Result<Vec<(String, Read<OldRole>)>, Error> {
        self.all(Folder::Roles).await
    }

    /// All stored tokens, by what follows `token/` in their keys.
    pub(crate) async fn tokens(&self) -> Result<Vec<(String, Read<OldToken>)>, Error> {
        self.all(Folder::Tokens).await
    }

    /// A role, of whatever version.
    pub(crate) async fn role(
        &self,
        org_key: &str,
        name: &str,
    ) -> Result<Option<Read<OldRole>>, Error> {
        if name.is_empty() {
            return Ok(None);
        }
        for key in keys::role_keys(org_key, name) {
            if let Some(found) = self.get(&key).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The token that was minted under a logical name.
    pub(crate) async fn named_token(
        &self,
        org_key: &str,
        role: &str,
        logical_name: &str,
    ) -> Result<Option<Read<OldToken>>, Error> {
        self.get(&keys::named_token_key(org_key, role, logical_name))
            .await
    }

    /// The token called `id`, if it can be one.
    pub(crate) async fn token(&self, id: &str) -> Result<Option<Read<OldToken>>, Error> {
        match keys::token_key(id) {
            Some(key) => self.get(&key).await,
            None => Ok(None),
        }
    }

    /// The key of the token called `id`, if it can be one.
    pub(crate) fn token_key(id: &str) -> Option<String> {
        keys::token_key(id)
    }

    /// Removes the entry at `key`; a missing one is fine.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.storage.delete(key).await?)
    }

    async fn all<T: DeserializeOwned>(
        &self,
        folder: Folder,
    ) -> Result<Vec<(String, Read<T>)>, Error> {
        let mut all = Vec::new();
        for key in self.keys(folder).await? {
            // One that has gone meanwhile is not there.
            if let Some(found) = self.get(&key).await? {
                let name = key.strip_prefix(folder.prefix()).unwrap_or(&key);
                all.push((name.to_owned(), found));
            }
        }
        Ok(all)
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Read<T>>, Error> {
        let entry = self.storage.get(key).await?;
        Ok(entry.map(|entry| parse(key, &entry.value)))
    }
}
