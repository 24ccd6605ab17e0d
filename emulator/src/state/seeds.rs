//! What was there from the start, as tests see it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::state::database::Database;
use crate::state::token::Facts;

/// Everything that is there from the start, with its secrets.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Seeds {
    /// The first is the one most tests use; the second belongs to the same enterprise; the third to none.
    pub organizations: Vec<OrgSeed>,
    /// The enterprise of the first two organizations.
    pub enterprise_id: String,
    /// Role ids by name: the built-in roles and the custom ones of the first organization.
    pub roles: BTreeMap<String, String>,
    /// Databases of the first organization by name.
    pub databases: BTreeMap<String, DatabaseSeed>,
    /// Tokens by what they are: `org_admin`, `db_admin`, `token_writer`, `read_only`, `expired`,
    /// `deleted`, `enterprise`, `portal_1`, `portal_2`, `portal_named` (its role is a name);
    /// `second_org_admin` and `third_org_admin` belong to the other organizations.
    pub tokens: BTreeMap<String, TokenSeed>,
}

/// An organization and its administrator's token.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OrgSeed {
    /// UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The enterprise it belongs to.
    pub enterprise_id: Option<String>,
    /// A token with the role Organization Administrator.
    pub root_token: String,
}

/// A database.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DatabaseSeed {
    /// UUID.
    pub id: String,
    /// Region of the first datacenter.
    pub region: String,
    /// All regions.
    pub regions: Vec<String>,
    /// The default one first.
    pub keyspaces: Vec<String>,
    /// `ACTIVE` or `HIBERNATED`.
    pub status: String,
}

/// A token with its secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenSeed {
    /// 24 letters.
    pub client_id: String,
    /// What the token's hash is made of.
    pub secret: String,
    /// `AstraCS:…`.
    pub token: String,
    /// Its organization.
    pub org_id: String,
    /// Its role ids.
    pub roles: Vec<String>,
}

impl From<&Facts> for TokenSeed {
    fn from(facts: &Facts) -> Self {
        Self {
            client_id: facts.client_id.to_string(),
            secret: facts.secret.clone(),
            token: facts.token(),
            org_id: facts.org_id.to_string(),
            roles: facts.roles.clone(),
        }
    }
}

impl From<&Database> for DatabaseSeed {
    fn from(database: &Database) -> Self {
        Self {
            id: database.id.clone(),
            region: database.regions.first().cloned().unwrap_or_default(),
            regions: database.regions.clone(),
            keyspaces: database.keyspaces.clone(),
            status: database.status.clone(),
        }
    }
}
