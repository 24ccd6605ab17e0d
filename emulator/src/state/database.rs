//! Databases.

use serde::Deserialize;
use serde::Serialize;

/// A database of an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    /// UUID.
    pub id: String,
    /// Its organization.
    pub org_id: String,
    /// A user id, or a client id when a token created it.
    pub owner_id: String,
    /// Not unique.
    pub name: String,
    /// The default keyspace first.
    pub keyspaces: Vec<String>,
    /// The first region first.
    pub regions: Vec<String>,
    /// `AWS`, `GCP` or `AZURE`.
    pub cloud_provider: String,
    /// `serverless`.
    pub tier: String,
    /// `vector`, or `None`.
    pub db_type: Option<String>,
    /// `ACTIVE`, `HIBERNATED`, ….
    pub status: String,
    /// May differ from the status.
    pub observed_status: String,
    /// RFC 3339 without a fraction.
    pub creation_time: String,
    /// RFC 3339 without a fraction.
    pub last_usage_time: String,
}

impl Database {
    /// `<database id>-<n>`, n from 1.
    pub(crate) fn datacenter_id(&self, index: usize) -> String {
        format!("{}-{}", self.id, index + 1)
    }

    /// Its resource name.
    pub(crate) fn resource(&self) -> String {
        format!("drn:astra:org:{}:db:{}", self.org_id, self.id)
    }
}
