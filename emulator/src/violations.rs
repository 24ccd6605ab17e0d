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
    /// What was wrong.
    pub detail: String,
}

/// How many violations are kept, the newest ones.
pub(crate) const KEPT: usize = 10_000;
