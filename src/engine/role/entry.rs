//! A role as it is stored.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// A Vault role.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RoleEntry {
    /// The config whose organization mints the tokens.
    pub config: String,
    /// The Astra roles that each token gets.
    pub astra_roles: Vec<AstraRole>,
    /// Seconds a lease lasts; zero means the mount's default.
    #[serde(default)]
    pub ttl: u64,
    /// Seconds a lease lasts in all; zero means the mount's maximum.
    #[serde(default)]
    pub max_ttl: u64,
    /// Free text for the token's description in Astra.
    #[serde(default)]
    pub description: String,
}

/// An Astra role as the operator named it and as Astra knows it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AstraRole {
    /// The name or id that the operator wrote.
    pub given: String,
    /// The role's id.
    pub id: String,
}

impl RoleEntry {
    /// How long a lease lasts, if the role says.
    pub fn ttl(&self) -> Option<Duration> {
        (self.ttl > 0).then(|| Duration::from_secs(self.ttl))
    }

    /// How long a lease lasts in all, if the role says.
    pub fn max_ttl(&self) -> Option<Duration> {
        (self.max_ttl > 0).then(|| Duration::from_secs(self.max_ttl))
    }

    /// The ids of the Astra roles, sorted, each once.
    pub fn role_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .astra_roles
            .iter()
            .map(|role| role.id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
