//! The whole state of the emulated service, behind one lock.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock;
use crate::clock::Clock;
use crate::fault::FaultRules;
use crate::ids;
use crate::knobs::Knobs;
use crate::options::Options;
use crate::options::Profile;
use crate::rate_limit::RateLimit;
use crate::request::Request;
use crate::violations;
use crate::violations::Violation;

use crate::state::journal::Journal;
use crate::state::records::Records;
use crate::state::seeds::Seeds;
use crate::state::token::Facts;
use crate::state::token::Origin;
use crate::state::token::Token;

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) minted: u64,
    pub(crate) deleted: u64,
    pub(crate) deletes_of_unknown: u64,
    pub(crate) foreign_deletes: u64,
}

/// A token to make.
pub(crate) struct NewToken {
    pub(crate) org_id: Arc<str>,
    pub(crate) roles: Vec<String>,
    pub(crate) description: String,
    pub(crate) expiry: Option<OffsetDateTime>,
    pub(crate) minted_by: Option<Arc<str>>,
    pub(crate) origin: Origin,
    pub(crate) enterprise: bool,
}

/// Everything that the service knows. Without organizations until it is populated
/// ([`crate::seed::new_state`]).
pub(crate) struct ServiceState {
    pub(crate) profile: Profile,
    pub(crate) clock: Clock,
    pub(crate) knobs: Knobs,
    /// Draws ids and secrets.
    pub(crate) rng: fastrand::Rng,
    /// Draws the chances of faults, so that faults do not change ids.
    pub(crate) chance: fastrand::Rng,
    pub(crate) records: Records,
    pub(crate) seeds: Seeds,
    pub(crate) faults: FaultRules,
    pub(crate) journal: Journal,
    pub(crate) violations: VecDeque<Violation>,
    pub(crate) counters: Counters,
    pub(crate) rate_limit: RateLimit,
    pub(crate) snapshots: BTreeMap<u64, Records>,
    /// Signs bundle URLs.
    pub(crate) bundle_key: String,
    /// Scheme, host and port of the API.
    pub(crate) base_url: String,
}

impl ServiceState {
    pub(crate) fn new(options: &Options, base_url: String) -> Self {
        let mut state = Self {
            profile: options.profile,
            clock: Clock::new(options.start_time),
            knobs: Knobs::default(),
            rng: fastrand::Rng::with_seed(options.seed),
            chance: fastrand::Rng::with_seed(options.seed ^ 0x0066_6175_6c74),
            records: Records::default(),
            seeds: Seeds::default(),
            faults: FaultRules::default(),
            journal: Journal::new(options.journal_size),
            violations: VecDeque::new(),
            counters: Counters::default(),
            rate_limit: RateLimit::default(),
            snapshots: BTreeMap::new(),
            bundle_key: String::new(),
            base_url,
        };
        state.bundle_key = ids::secret(&mut state.rng);
        state
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    pub(crate) fn strict(&self) -> bool {
        self.profile == Profile::Strict
    }

    /// Longest life of a token of `org`.
    pub(crate) fn max_token_life(&self, org: &str) -> Option<Duration> {
        self.records
            .org(org)
            .and_then(|org| org.max_token_expiry_s)
            .or(self.knobs.org_max_token_expiry_s)
            .map(Duration::from_secs)
    }

    /// Makes a token and keeps it.
    pub(crate) fn mint(&mut self, new: NewToken, now: OffsetDateTime) -> Arc<Facts> {
        let secret = ids::secret(&mut self.rng);
        let facts = Arc::new(Facts {
            client_id: ids::client_id(&mut self.rng).into(),
            hash: ids::hash(&secret),
            secret,
            org_id: new.org_id,
            roles: new.roles,
            description: new.description,
            generated_on: now,
            minted_by: new.minted_by,
            origin: new.origin,
            enterprise: new.enterprise,
        });
        let delay = Duration::from_millis(self.knobs.create_visible_after_ms);
        let scope = self.knobs.create_visible_scope;
        let api = new.origin == Origin::Api;
        if api {
            self.counters.minted += 1;
        }
        self.records.ledger.insert(Token {
            facts: facts.clone(),
            expiry: new.expiry,
            auth_from: if api && scope.auth() {
                clock::later(now, delay)
            } else {
                now
            },
            list_from: if api && scope.list() {
                clock::later(now, delay)
            } else {
                now
            },
            deleted_at: None,
            auth_until: None,
            list_until: None,
            delivered: !api,
        });
        facts
    }

    /// Deletes a token as the API does, with the delays that the knobs ask for.
    pub(crate) fn delete(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        let delay = Duration::from_millis(self.knobs.delete_effective_after_ms);
        let scope = self.knobs.delete_effective_scope;
        let stale = Duration::from_millis(self.knobs.list_stale_ms);
        let later = clock::later(now, delay);
        let auth_until = if scope.auth() { later } else { now };
        let list_until = if scope.list() { later } else { now };
        let list_until = list_until.max(clock::later(now, stale));
        self.records
            .ledger
            .delete(client_id, now, auth_until, list_until)
    }

    /// Records a deviation.
    pub(crate) fn record_violation(
        &mut self,
        seq: u64,
        request: &Request,
        rule: &'static str,
        detail: &str,
    ) {
        self.keep(Violation {
            seq,
            t: clock::rfc3339(self.now()),
            method: request.method.to_string(),
            path: request.path.clone(),
            client_id: request.presented_client_id().map(str::to_owned),
            rule,
            detail: detail.to_owned(),
        });
    }

    /// Records bytes that are no request.
    pub(crate) fn record_protocol_violation(&mut self, detail: &str) {
        self.keep(Violation {
            seq: self.journal.len(),
            t: clock::rfc3339(self.now()),
            method: String::new(),
            path: String::new(),
            client_id: None,
            rule: "http",
            detail: detail.to_owned(),
        });
    }

    fn keep(&mut self, violation: Violation) {
        if self.violations.len() >= violations::KEPT {
            self.violations.pop_front();
        }
        let Violation {
            rule,
            method,
            path,
            detail,
            ..
        } = &violation;
        tracing::warn!(rule, method, path, detail, "violation");
        self.violations.push_back(violation);
    }
}
