//! Deviations of a client from the published API.

use serde::Serialize;

/// One deviation.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Sequence number of the request in the journal.
    pub seq: u64,
    /// Virtual time, RFC 3339.
    pub t: String,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Client id in the bearer token.
    pub client_id: Option<String>,
    /// Short name of the rule, such as `content_type`.
    pub rule: &'static str,
    /// Where the rule is from.
    pub source: RuleSource,
    /// What was wrong.
    pub detail: String,
}

/// Where a rule of the strict profile is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSource {
    /// The published API: its documents, or what was recorded of the service.
    Api,
    /// The emulator: stricter than the API, so that a careless client is noticed.
    Emulator,
}

impl RuleSource {
    pub(crate) fn of(rule: &str) -> Self {
        match rule {
            "accept"
            | "body"
            | "bundle_authorization"
            | "http_version"
            | "unknown_field"
            | "user_agent" => Self::Emulator,
            _ => Self::Api,
        }
    }
}

/// How many violations are kept, the newest ones.
pub(crate) const KEPT: usize = 10_000;
