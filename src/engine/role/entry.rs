//! A role as it is stored.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::Granted;
use super::PolicyRole;

/// A Vault role.  Entries of older versions lack the newer fields, which then have their defaults.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct RoleEntry {
    /// The config whose organization mints the tokens.
    pub config: String,
    /// What each token may do.
    #[serde(flatten)]
    pub granted: Granted,
    /// Seconds a lease lasts; zero means the mount's default.
    #[serde(default)]
    pub ttl: u64,
    /// Seconds a lease lasts in all; zero means the mount's maximum.
    #[serde(default)]
    pub max_ttl: u64,
    /// Free text for the token's description in Astra.
    #[serde(default)]
    pub description: String,
    /// Whether a caller must say why.
    #[serde(default)]
    pub require_reason: bool,
    /// How many tokens may be live at once; zero means any number.
    #[serde(default)]
    pub max_active: u32,
    /// The database that applications connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseChoice>,
}

/// A database as the operator chose it, and what applications need to connect to it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct DatabaseChoice {
    /// The database's id.
    pub id: String,
    /// The region that the operator wrote; empty for the primary one.
    #[serde(default)]
    pub given_region: String,
    /// The keyspace that the operator wrote; empty for the default one.
    #[serde(default)]
    pub given_keyspace: String,
    /// The region.
    pub region: String,
    /// The keyspace; empty where the database has none.
    pub keyspace: String,
    /// The base of its HTTP APIs; empty where it is not known.
    pub api_endpoint: String,
    /// Whether credentials carry a link to the secure connect bundle.
    #[serde(default)]
    pub secure_connect_bundle: bool,
}

impl RoleEntry {
    /// How long a lease lasts, if the role says.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        (self.ttl > 0).then(|| Duration::from_secs(self.ttl))
    }

    /// How long a lease lasts in all, if the role says.
    pub(crate) fn max_ttl(&self) -> Option<Duration> {
        (self.max_ttl > 0).then(|| Duration::from_secs(self.max_ttl))
    }

    /// The custom Astra role that this role names in the organization `org_id` of `config`.
    pub(crate) fn claim_in(&self, config: &str, org_id: &str) -> Option<&PolicyRole> {
        let custom = self.granted.policy.as_ref();
        custom.filter(|custom| self.config == config && custom.is_in(org_id))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_first_version_still_loads() {
        let old = r#"{"version":1,"config":"default","astra_roles":[{"given":"R/W User","id":"b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50"}],"ttl":60,"max_ttl":0,"description":"x"}"#;
        let role: RoleEntry = serde_json::from_str(old).unwrap();
        assert_eq!(
            role.granted.role_ids(),
            ["b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50"]
        );
        assert_eq!(
            (role.ttl, role.max_active, role.require_reason),
            (60, 0, false)
        );
        assert_eq!((role.granted.policy, role.database), (None, None));
    }
}
