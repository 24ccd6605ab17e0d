//! The query of `GET /v2/databases`.

use crate::endpoints::call::Call;
use crate::ids;
use crate::reply::Reply;
use crate::state::database::Database;

/// Values of `include` in either published document.
const INCLUDE: &[&str] = &[
    "nonterminated",
    "all",
    "active",
    "pending",
    "preparing",
    "prepared",
    "initializing",
    "parked",
    "parking",
    "unparking",
    "terminating",
    "terminated",
    "resizing",
    "error",
    "maintenance",
    "suspended",
    "suspending",
    "hibernating",
    "hibernated",
    "resuming",
];
const PROVIDER: &[&str] = &["ALL", "AWS", "GCP", "AZURE"];

/// Most databases of one page.
const MAX_LIMIT: usize = 100;

/// Parameters of the list.
pub(super) struct Page {
    include: String,
    provider: String,
    pub(super) limit: usize,
    /// The id of the last database of the page before.
    pub(super) after: Option<String>,
}

impl Page {
    /// Strict takes the documented values only.
    ///
    /// The field profile takes what shipped clients send: `include=non_terminated`, a provider in
    /// any case, a limit beyond the maximum. Since their users see a list, Astra answers 200; that
    /// it ignores unknown words and cuts the limit is an assumption.
    pub(super) fn parse(call: &mut Call<'_>) -> Result<Self, Reply> {
        let mut page = Self {
            include: "nonterminated".into(),
            provider: "ALL".into(),
            limit: 25,
            after: None,
        };
        let strict = call.state.strict();
        let request = call.request;
        for (name, value) in request.parameters() {
            if !page.set(name, value, strict) {
                let text = format!("parameter {name} has a bad value or does not exist");
                return Err(call.deviation("query", &text));
            }
        }
        Ok(page)
    }

    /// Takes one parameter; `false` if it cannot be used.
    fn set(&mut self, name: &str, value: &str, strict: bool) -> bool {
        match name {
            "include" => {
                let is_known = INCLUDE.contains(&value);
                if is_known {
                    value.clone_into(&mut self.include);
                }
                is_known || !strict
            }
            "provider" => {
                let upper = value.to_ascii_uppercase();
                let is_known = PROVIDER.contains(&upper.as_str());
                let is_exact = upper == value;
                if is_known {
                    self.provider = upper;
                }
                is_known && (is_exact || !strict)
            }
            "limit" => {
                let limit: usize = value.parse().unwrap_or(0);
                self.limit = limit.min(MAX_LIMIT);
                limit >= 1 && (limit <= MAX_LIMIT || !strict)
            }
            "starting_after" => {
                self.after = Some(value.to_owned());
                ids::is_uuid(value)
            }
            _ => !strict,
        }
    }

    pub(super) fn includes(&self, database: &Database) -> bool {
        let status = match self.include.as_str() {
            "all" => true,
            "nonterminated" => database.status != "TERMINATED",
            one => database.status.eq_ignore_ascii_case(one),
        };
        status && (self.provider == "ALL" || self.provider == database.cloud_provider)
    }
}
