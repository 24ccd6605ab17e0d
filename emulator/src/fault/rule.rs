//! A fault rule: which requests go wrong, and how often.

use serde::Deserialize;
use serde::Serialize;

use crate::fault::kind::Fault;

/// A matcher, a fault and how often it fires.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which requests; all if empty.
    #[serde(rename = "match", default)]
    pub matcher: Matcher,
    /// What happens to them.
    pub fault: Fault,
    /// The rule vanishes after it fired so often; `None` never.
    #[serde(default)]
    pub times: Option<u64>,
}

impl FaultRule {
    /// A rule for every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            matcher: Matcher::default(),
            fault,
            times: None,
        }
    }

    /// Restricts it to a method and a path glob.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.matcher.method = Some(method.to_owned());
        self.matcher.path = Some(path.to_owned());
        self
    }

    /// Restricts it to callers with a token of that organization.
    #[must_use]
    pub fn of_org(mut self, org_id: &str) -> Self {
        self.matcher.org_id = Some(org_id.to_owned());
        self
    }

    /// Lets it fire `times` times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// HTTP method, upper case.
    pub method: Option<String>,
    /// Glob on the path without query: `*` is any text, also with slashes, `?` one character.
    pub path: Option<String>,
    /// Only the nth request (from 1) that meets the other conditions.
    pub nth: Option<u64>,
    /// Only after so many such requests.
    pub after: Option<u64>,
    /// Client id in the caller's bearer token.
    pub client_id: Option<String>,
    /// Id of the organization of the token in the credentials, valid or not.
    pub org_id: Option<String>,
    /// From 0 to 1, drawn from the seed.
    pub probability: Option<f64>,
}
