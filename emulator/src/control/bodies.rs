//! Bodies and queries of requests to the control API.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::options::Profile;
use crate::state::role::Policy;
use crate::tls::Certificate;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reset {
    pub(super) seed: Option<u64>,
    pub(super) profile: Option<Profile>,
    pub(super) fixtures: Fixtures,
}

/// Things to add after a reset.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fixtures {
    /// Names of further organizations.
    pub(super) organizations: Vec<String>,
    /// So many tokens made by hand in the first organization.
    pub(super) portal_tokens: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum SetClock {
    AdvanceS(f64),
    Rate(f64),
    #[serde(with = "time::serde::rfc3339")]
    Set(OffsetDateTime),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) description: String,
    /// RFC 3339.
    pub(super) expiry: Option<String>,
    pub(super) org_id: Option<String>,
    #[serde(default)]
    pub(super) enterprise: bool,
}

/// Many tokens that differ by a number in their descriptions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTokens {
    pub(super) count: usize,
    pub(super) token: NewToken,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) org_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleChange {
    pub(super) policy: Option<Policy>,
    #[serde(default)]
    pub(super) delete: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrg {
    pub(super) name: String,
    pub(super) enterprise_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgChange {
    pub(super) devops_acl: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_token_expiry_s: Option<Option<u64>>,
}

/// Tells an explicit null from a missing member.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    pub(super) status: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CutCql {
    /// A database's id; all databases without it.
    pub(super) database: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    pub(super) id: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewListener {
    pub(super) kind: Certificate,
}

#[derive(Deserialize)]
pub(super) struct Wait {
    #[serde(default = "ten_seconds")]
    pub(super) timeout_ms: u64,
    #[serde(flatten)]
    pub(super) wanted: serde_json::Map<String, Value>,
}

fn ten_seconds() -> u64 {
    10_000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenQuery {
    pub(super) state: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalQuery {
    /// Only entries after this sequence number.
    #[serde(default)]
    pub(super) since: u64,
}
