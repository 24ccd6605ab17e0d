//! The whole state of the emulated service, behind one lock.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock;
use crate::clock::Clock;
use crate::fault::FaultRules;
use crate::ids;
use crate::knobs::KnobsByOrg;
use crate::options::Options;
use crate::options::Profile;
use crate::rate_limit::RateLimit;
use crate::request::Request;
use crate::violations;
use crate::violations::RuleSource;
use crate::violations::Violation;

use crate::state::bundle_source::BundleSource;
use crate::state::journal::Journal;
use crate::state::records::Records;
use crate::state::seeds::Seeds;
use crate::state::token::Deletion;
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
#[derive(Clone)]
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
    pub(crate) knobs: KnobsByOrg,
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
    /// Of organizations that have a `rate_limit_per_s` of their own.
    pub(crate) org_rate_limits: HashMap<String, RateLimit>,
    pub(crate) snapshots: BTreeMap<u64, Records>,
    /// Signs bundle URLs.
    pub(crate) bundle_key: String,
    /// Scheme, host and port of the API.
    pub(crate) base_url: String,
    /// Makes bundles that work, if CQL is spoken; it outlives a reset.
    pub(crate) bundles: Option<Arc<dyn BundleSource>>,
}

impl ServiceState {
    pub(crate) fn new(options: &Options, base_url: String) -> Self {
        let mut state = Self {
            profile: options.profile,
            clock: Clock::new(options.start_time),
            knobs: KnobsByOrg::default(),
            rng: fastrand::Rng::with_seed(options.seed),
            chance: fastrand::Rng::with_seed(options.seed ^ 0x0066_6175_6c74),
            records: Records::default(),
            seeds: Seeds::default(),
            faults: FaultRules::default(),
            journal: Journal::new(options.journal_size),
            violations: VecDeque::new(),
            counters: Counters::default(),
            rate_limit: RateLimit::default(),
            org_rate_limits: HashMap::new(),
            snapshots: BTreeMap::new(),
            bundle_key: String::new(),
            base_url,
            bundles: None,
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
            .or(self.knobs.of(Some(org)).org_max_token_expiry_s)
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
        let knobs = self.knobs.of(Some(&facts.org_id));
        let delay = Duration::from_millis(knobs.create_visible_after_ms);
        let scope = knobs.create_visible_scope;
        let api = new.origin == Origin::Api;
        let visible_from = |is_late: bool| match api && is_late {
            true => clock::later(now, delay),
            false => now,
        };
        if api {
            self.counters.minted += 1;
        }
        self.records.ledger.insert(Token {
            facts: facts.clone(),
            expiry: new.expiry,
            auth_from: visible_from(scope.auth()),
            list_from: visible_from(scope.list()),
            delete_from: visible_from(scope.delete()),
            deleted: None,
            delivered: !api,
        });
        facts
    }

    /// Deletes a token as the API does, with the delays that the knobs ask for.
    pub(crate) fn delete(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        let Some(token) = self.records.ledger.get(client_id) else {
            return false;
        };
        let knobs = self.knobs.of(Some(&token.facts.org_id));
        let later = clock::later(now, Duration::from_millis(knobs.delete_effective_after_ms));
        let scope = knobs.delete_effective_scope;
        let until = |is_late: bool| if is_late { later } else { now };
        let stale = clock::later(now, Duration::from_millis(knobs.list_stale_ms));
        let deletion = Deletion {
            at: now,
            auth_until: until(scope.auth()),
            list_until: until(scope.list()).max(stale),
            delete_until: until(scope.delete()),
        };
        self.records.ledger.delete(client_id, deletion)
    }

    /// The organization of the token in a request's credentials, whether it is valid or not.
    pub(crate) fn presented_org(&self, request: &Request) -> Option<Arc<str>> {
        let token = self.records.ledger.find(request.presented_client_id()?)?;
        Some(token.facts.org_id.clone())
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
            source: RuleSource::of(rule),
            detail: detail.to_owned(),
        });
    }

    /// Records bytes that are no request.
    pub(crate) fn record_protocol_violation(&mut self, detail: &str) {
        self.record_connection_violation("http", None, detail);
    }

    /// Records a deviation that is not one of an HTTP request.
    pub(crate) fn record_connection_violation(
        &mut self,
        rule: &'static str,
        client_id: Option<String>,
        detail: &str,
    ) {
        self.keep(Violation {
            seq: self.journal.len(),
            t: clock::rfc3339(self.now()),
            method: String::new(),
            path: String::new(),
            client_id,
            rule,
            source: RuleSource::Emulator,
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
