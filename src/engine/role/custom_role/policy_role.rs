//! A policy and its custom Astra role, as a role or a static role stores them.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::nonce::Nonce;
use crate::astra::is_same_organization;
use crate::engine::role::access::Access;
use crate::engine::role::policy::Policy;

/// A policy and the custom Astra role that the engine keeps for it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct PolicyRole {
    /// What the operator wrote, text or object; reads return it unchanged.  Null with `access`.
    pub given: Value,
    /// What the policy was made of, if not of `given`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// What it means.
    pub policy: Policy,
    /// The custom Astra role's id.
    pub role_id: String,
    /// The custom Astra role's name.
    #[serde(default)]
    pub name: String,
    /// The organization that the custom Astra role is in.
    #[serde(default)]
    pub org_id: String,
    /// The nonces that this storage wrote it with, newest last.
    #[serde(default)]
    pub nonces: Vec<Nonce>,
}

impl PolicyRole {
    /// The field that it was written with.
    pub(crate) fn field(&self) -> &'static str {
        match self.access {
            Some(_) => "access",
            None => "policy",
        }
    }

    /// Whether it is in the organization `org_id`, as far as is known.
    pub(crate) fn is_in(&self, org_id: &str) -> bool {
        self.org_id.is_empty() || is_same_organization(&self.org_id, org_id)
    }
}
