//! Entries of the archived Go engine: JSON without a version, in the shapes of its versions 0.1 to 2.0.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::error::Classified;
use crate::engine::error::Fault;
use crate::secret::Secret;

/// `config/<organization>`.
#[derive(Clone, Deserialize, PartialEq)]
pub(crate) struct OldConfig {
    /// The root token, as it was typed.
    #[serde(default = "no_secret")]
    pub astra_token: Secret,
    /// The DevOps API, as it was typed.
    #[serde(default)]
    pub url: String,
    /// A name, as it was typed.
    #[serde(default)]
    pub logical_name: String,
    /// 1 is standard, 2 sidecar; absent before version 2.
    #[serde(default)]
    caller_mode: i64,
}

/// How `org/token` answered for an organization.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallerMode {
    /// A write mints, a read shows what was minted.
    #[default]
    Standard,
    /// Reads and writes mint.
    Sidecar,
}

/// `role/<organization>:<name>`; before version 2 `role/<organization>-<name>`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub(crate) struct OldRole {
    /// The name.
    #[serde(default)]
    pub role_name: String,
    /// The Astra role's id, as it was typed.
    #[serde(default)]
    pub role_id: String,
    /// The key of the organization's config.
    #[serde(default)]
    pub org_id: String,
    /// Nanoseconds; 0 before version 2.
    #[serde(default)]
    pub ttl: i64,
    /// Nanoseconds; 0 before version 2.
    #[serde(default)]
    pub max_ttl: i64,
}

/// `token/<SHA-256 of organization, role and logical name>` or `token/<client id>`.
#[derive(Clone, Deserialize)]
pub(crate) struct OldToken {
    /// The client id; empty where Astra refused the mint, which the archived engine stored all the same.
    #[serde(default, rename = "clientId")]
    pub client_id: String,
    /// The key of the organization's config; in version 1 the organization itself.
    #[serde(default, rename = "orgId")]
    pub org_id: String,
    /// The role's name.
    #[serde(default, rename = "roleName", alias = "roleNickname")]
    pub role_name: String,
    /// The name that the caller gave it.
    #[serde(default, rename = "logicalName")]
    pub logical_name: String,
    /// The token.
    #[serde(default = "no_secret")]
    pub token: Secret,
    /// When it was made, as Astra said.
    #[serde(default, rename = "generatedOn")]
    pub generated_on: String,
    /// What the caller noted.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// An entry that makes no sense.  Its content is not repeated: it may hold a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the storage entry {key} is not what the archived engine wrote (line {line}, column {column})"
)]
pub(crate) struct Unreadable {
    key: String,
    line: usize,
    column: usize,
}

impl OldConfig {
    /// How `org/token` answered.
    pub(crate) fn caller_mode(&self) -> CallerMode {
        match self.caller_mode {
            2 => CallerMode::Sidecar,
            _ => CallerMode::Standard,
        }
    }
}

impl OldToken {
    /// When it was made by Astra's clock, if that can be read.
    pub(crate) fn generated_on(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.generated_on, &Rfc3339).ok()
    }
}

impl OldRole {
    /// `ttl` and `max_ttl` in whole seconds, rounded up; 0 means the mount's.  What the archived engine
    /// would not have stored, a longer `ttl` than `max_ttl`, is cut.
    pub(crate) fn seconds(&self) -> (u64, u64) {
        let seconds = |nanoseconds: i64| {
            u64::try_from(nanoseconds)
                .unwrap_or_default()
                .div_ceil(1_000_000_000)
        };
        let (ttl, max_ttl) = (seconds(self.ttl), seconds(self.max_ttl));
        match max_ttl {
            0 => (ttl, max_ttl),
            _ => (ttl.min(max_ttl), max_ttl),
        }
    }
}

impl Classified for Unreadable {
    fn fault(&self) -> Fault {
        Fault::Engine
    }
}

/// The entry at `key`.
pub(super) fn parse<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(value).map_err(|error| Unreadable {
        key: key.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

fn no_secret() -> Secret {
    Secret::new(String::new())
}
