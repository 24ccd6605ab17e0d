//! The counts that must be zero in the end.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::state::service_state::ServiceState;
use crate::state::token::Origin;

/// What is left and what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Invariants {
    /// Tokens minted through the API, not deleted, not expired.
    pub live_tokens: usize,
    /// Of these, the ones whose secret never went out in a complete 2xx body.
    pub orphans: usize,
    /// Their client ids, the first hundred.
    pub orphan_ids: Vec<String>,
    /// Live API-minted tokens beyond the first with the same organization and description.
    pub double_mints: usize,
    /// Tokens minted through the API so far.
    pub minted: u64,
    /// Tokens deleted through the API so far.
    pub deleted: u64,
    /// Deletes of ids that were never seen or are gone.
    pub deletes_of_unknown: u64,
    /// Seed and portal tokens deleted through the API.
    pub foreign_deletes: u64,
    /// Violations so far.
    pub violations: usize,
}

pub(crate) fn count(state: &ServiceState, now: OffsetDateTime) -> Invariants {
    let mut found = Invariants {
        minted: state.counters.minted,
        deleted: state.counters.deleted,
        deletes_of_unknown: state.counters.deletes_of_unknown,
        foreign_deletes: state.counters.foreign_deletes,
        violations: state.violations.len(),
        ..Invariants::default()
    };
    let mut descriptions: HashMap<(&str, &str), usize> = HashMap::new();
    for token in state.records.ledger.iter() {
        let facts = &token.facts;
        if facts.origin != Origin::Api || !token.live(now) {
            continue;
        }
        found.live_tokens += 1;
        if !token.delivered {
            found.orphans += 1;
            if found.orphan_ids.len() < 100 {
                found.orphan_ids.push(facts.client_id.to_string());
            }
        }
        if !facts.description.is_empty() {
            *descriptions
                .entry((&facts.org_id, &facts.description))
                .or_default() += 1;
        }
    }
    found.double_mints = descriptions.values().map(|count| count - 1).sum();
    found
}
