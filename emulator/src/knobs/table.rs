//! The knobs and their defaults.

use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;
use crate::knobs::values::BundleHost;
use crate::knobs::values::DeleteMissing;
use crate::knobs::values::DeleteReply;
use crate::knobs::values::ExpiredReply;
use crate::knobs::values::ExpiryEcho;
use crate::knobs::values::GeneratedOnEcho;
use crate::knobs::values::IamErrors;
use crate::knobs::values::ListFields;
use crate::knobs::values::MaxExpiryMode;
use crate::knobs::values::RewriteExpiry;
use crate::knobs::values::RoleCase;
use crate::knobs::values::Scope;

/// All knobs; any subset can be set with [`crate::Emulator::set_knobs`] or `PUT /control/knobs`,
/// and for one organization with [`crate::Emulator::set_org_knobs`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Fields of a token list entry.
    pub list_fields: ListFields,
    /// Whether tokens past their `tokenExpiry` stay in the list.
    pub list_expired: bool,
    /// Client ids of tokens to which the list shows only themselves and what they made. Whether Astra has
    /// tokens that see less than others is unknown.
    pub list_own_only_to: Vec<String>,
    /// The service of 2021: role ids are not checked, names give a useless token.
    pub accept_unknown_roles: bool,
    /// Body shape of IAM refusals (400, 403, 404, 409).
    pub iam_errors: IamErrors,
    /// Status of an IAM refusal for a missing permission: 403 or 401.
    pub iam_forbidden_status: u16,
    /// Status of a successful create.
    pub create_status: u16,
    /// Longest accepted `description`, in bytes; longer ones are refused.
    pub max_description: usize,
    /// Silently cut descriptions to this many bytes.
    pub truncate_description: Option<usize>,
    /// Live tokens an organization may have.
    pub max_tokens: Option<usize>,
    /// Status of a create beyond `max_tokens`: 429, 400 or 403.
    pub max_tokens_status: u16,
    /// Reply of a successful delete.
    pub delete_status: DeleteReply,
    /// Reply of a delete of an unknown id.
    pub delete_missing: DeleteMissing,
    /// `GET /v2/organizations/roles` needs `org-role-read`.
    pub list_roles_needs_permission: bool,
    /// Field names of a role.
    pub role_case: RoleCase,
    /// Reply to a token past its `tokenExpiry`.
    pub expired_reply: ExpiredReply,
    /// A new token is unknown for so long.
    pub create_visible_after_ms: u64,
    /// Where it is unknown.
    pub create_visible_scope: Scope,
    /// A new custom role is unknown for so long: to the list, and to requests that name it.
    pub role_visible_after_ms: u64,
    /// A deleted token stays known for so long.
    pub delete_effective_after_ms: u64,
    /// Where it is still known.
    pub delete_effective_scope: Scope,
    /// The token list shows the state of so long ago.
    pub list_stale_ms: u64,
    /// Seconds (virtual) a data-plane session outlives its token.
    pub dataplane_cache_s: u64,
    /// Seconds (virtual) a bundle URL is good for.
    pub bundle_expires_s: u64,
    /// The host that secure connect bundles and the metadata service name (with [`crate::Options::cql`]).
    pub bundle_host: BundleHost,
    /// The class that a CQL server names in AUTHENTICATE. What Astra names is unknown.
    pub cql_authenticator: String,
    /// Requests a second (real time) before 429 with `Retry-After`.
    pub rate_limit_per_s: Option<u32>,
    /// Maximum token life of every organization that has none of its own, in seconds.
    pub org_max_token_expiry_s: Option<u64>,
    /// What happens to a `tokenExpiry` beyond the maximum.
    pub org_max_token_expiry_mode: MaxExpiryMode,
    /// The organization silently drops descriptions.
    pub ignore_description: bool,
    /// The organization silently drops expiries.
    pub ignore_expiry: bool,
    /// The organization silently changes expiries. The maximum token life is checked before.
    pub rewrite_expiry: Option<RewriteExpiry>,
    /// The expiry in the answer to a create.
    pub expiry_echo: ExpiryEcho,
    /// The `generatedOn` in the answer to a create and in lists.
    pub generated_on_echo: GeneratedOnEcho,
    /// Answers name another organization than the caller's (`id` of the current one, `orgId`).
    pub foreign_org: bool,
    /// An invitation may only name roles that grant nothing beyond the caller's own rights.
    /// Whether Astra has such a ceiling is unknown.
    pub invite_ceiling: bool,
    /// Delay of every answer, before it is processed.
    pub latency_ms: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            list_fields: ListFields::Full,
            list_expired: true,
            list_own_only_to: Vec::new(),
            accept_unknown_roles: false,
            iam_errors: IamErrors::Mixed,
            iam_forbidden_status: 403,
            create_status: 200,
            max_description: 255,
            truncate_description: None,
            max_tokens: None,
            max_tokens_status: 429,
            delete_status: DeleteReply::NoContent,
            delete_missing: DeleteMissing::NotFound,
            list_roles_needs_permission: false,
            role_case: RoleCase::Snake,
            expired_reply: ExpiredReply::Unknown,
            create_visible_after_ms: 0,
            create_visible_scope: Scope::Both,
            role_visible_after_ms: 0,
            delete_effective_after_ms: 0,
            delete_effective_scope: Scope::Both,
            list_stale_ms: 0,
            dataplane_cache_s: 300,
            bundle_expires_s: 300,
            bundle_host: BundleHost::Address,
            cql_authenticator: "org.apache.cassandra.auth.PasswordAuthenticator".to_owned(),
            rate_limit_per_s: None,
            org_max_token_expiry_s: None,
            org_max_token_expiry_mode: MaxExpiryMode::Refuse,
            ignore_description: false,
            ignore_expiry: false,
            rewrite_expiry: None,
            expiry_echo: ExpiryEcho::Stored,
            generated_on_echo: GeneratedOnEcho::Stored,
            foreign_org: false,
            invite_ceiling: false,
            latency_ms: 0,
        }
    }
}

impl Knobs {
    /// These knobs with the members of `changes` in place of their own.
    pub(crate) fn with(&self, changes: serde_json::Value) -> Result<Self, Error> {
        let bad = |error: serde_json::Error| Error::Knobs(error.to_string());
        let serde_json::Value::Object(changes) = changes else {
            return Err(Error::Knobs(
                "an object of knob names and values is needed".into(),
            ));
        };
        let serde_json::Value::Object(mut all) = serde_json::to_value(self).map_err(bad)? else {
            return Err(Error::Knobs("knobs are not an object".into()));
        };
        all.extend(changes);
        let knobs: Self = serde_json::from_value(serde_json::Value::Object(all)).map_err(bad)?;
        if !matches!(knobs.max_tokens_status, 400 | 403 | 429) {
            return Err(Error::Knobs("max_tokens_status is 400, 403 or 429".into()));
        }
        if !matches!(knobs.iam_forbidden_status, 401 | 403) {
            return Err(Error::Knobs("iam_forbidden_status is 401 or 403".into()));
        }
        if !(200..300).contains(&knobs.create_status) {
            return Err(Error::Knobs(
                "create_status is a status from 200 to 299".into(),
            ));
        }
        if knobs.rate_limit_per_s == Some(0) {
            return Err(Error::Knobs(
                "rate_limit_per_s is at least 1, or null".into(),
            ));
        }
        Ok(knobs)
    }
}
