//! Root tokens that several configs of a mount have.
//!
//! A config is not written with another's token any more, but older versions allowed it: a token that
//! one config replaces or leaves must not be deleted under the others.

use std::collections::BTreeMap;

use super::Configs;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;

/// The root tokens of all configs but one, each with the config that has it.
pub(crate) struct OtherRoots {
    by_client_id: BTreeMap<String, String>,
}

impl OtherRoots {
    /// The root tokens of the configs other than the one called `name`; of all where it is empty.
    pub(crate) async fn than(configs: &Configs, name: &str) -> Result<Self, Error> {
        let mut by_client_id = BTreeMap::new();
        for (other, loaded) in configs.load_all().await? {
            if let Loaded::Valid(connection) = loaded
                && other != name
            {
                by_client_id.insert(connection.entry.token_client_id().to_owned(), other);
            }
        }
        Ok(Self { by_client_id })
    }

    /// The config that has the token with this client id.
    pub(crate) fn owner(&self, client_id: &str) -> Option<&str> {
        self.by_client_id.get(client_id).map(String::as_str)
    }
}
