//! What was learned about a config's organization.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::astra::Error;
use crate::astra::Observer;
use crate::engine::clock::now_utc;
use crate::engine::intent::DescriptionForm;

/// What the organization's answers showed, kept in memory for `status`.
#[derive(Default)]
pub(crate) struct Health {
    /// Held while the organization's live tokens are read for a caller.
    pub listing: tokio::sync::Mutex<()>,
    /// How many mints in a row came back without their description.
    undescribed_mints: AtomicU32,
    ignores_expiry: AtomicBool,
    plain_descriptions: AtomicBool,
    /// The newest failure of each request that has not succeeded since, by the request's name.
    failing: Mutex<BTreeMap<&'static str, LastError>>,
    failed_at: Mutex<Option<OffsetDateTime>>,
    seen: Mutex<Option<Seen>>,
}

/// The live tokens of a config, as a list of tokens had them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// When they were counted.
    pub at: Instant,
    /// Tokens under leases.
    pub leased: usize,
    /// Tokens of static roles.
    pub of_static_roles: usize,
    /// Root tokens that rotation made.
    pub roots: usize,
    /// When the present root token ends, if it does.
    pub root_expiry: Option<OffsetDateTime>,
}

impl Seen {
    /// Nothing is counted yet.
    pub(crate) fn new() -> Self {
        Self {
            at: Instant::now(),
            leased: 0,
            of_static_roles: 0,
            roots: 0,
            root_expiry: None,
        }
    }

    /// All of them.
    pub(crate) fn live(&self) -> usize {
        self.leased + self.of_static_roles + self.roots
    }
}

/// A failure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LastError {
    /// Its class, [`Error::kind`].
    pub class: &'static str,
    /// When.
    pub at: OffsetDateTime,
}

impl Health {
    /// Whether tokens come without their description: lost tokens cannot be found then.
    pub(crate) fn ignores_description(&self) -> bool {
        self.undescribed_mints.load(Ordering::Relaxed) > 0
    }

    /// Whether that was so twice in a row: one odd answer switches no limit off.
    pub(crate) fn certainly_ignores_description(&self) -> bool {
        self.undescribed_mints.load(Ordering::Relaxed) > 1
    }

    /// Whether tokens come without an expiry: only the end of the lease ends them then.
    pub(crate) fn ignores_expiry(&self) -> bool {
        self.ignores_expiry.load(Ordering::Relaxed)
    }

    /// In which form a description is kept.
    pub(crate) fn description_form(&self) -> DescriptionForm {
        match self.plain_descriptions.load(Ordering::Relaxed) {
            true => DescriptionForm::Plain,
            false => DescriptionForm::Full,
        }
    }

    /// Remembers that longer descriptions, or other characters, are refused, cut or changed.
    pub(crate) fn set_plain_descriptions(&self) {
        self.plain_descriptions.store(true, Ordering::Relaxed);
    }

    /// What the newest count of tokens showed.
    pub(crate) fn seen(&self) -> Option<Seen> {
        self.seen.lock().clone()
    }

    /// Remembers a count of tokens.
    pub(crate) fn saw(&self, seen: Seen) {
        *self.seen.lock() = Some(seen);
    }

    /// The newest failure that is not over: the same request has not succeeded since.
    pub(crate) fn last_error(&self) -> Option<LastError> {
        let failing = self.failing.lock();
        failing.values().max_by_key(|error| error.at).cloned()
    }

    /// When a request last failed since this process started.
    pub(crate) fn failed_at(&self) -> Option<OffsetDateTime> {
        *self.failed_at.lock()
    }

    /// Remembers what the newest token showed.
    pub(crate) fn minted(&self, ignores_description: bool, ignores_expiry: bool) {
        let in_a_row = match ignores_description {
            true => self
                .undescribed_mints
                .load(Ordering::Relaxed)
                .saturating_add(1),
            false => 0,
        };
        self.undescribed_mints.store(in_a_row, Ordering::Relaxed);
        self.ignores_expiry.store(ignores_expiry, Ordering::Relaxed);
    }

    /// Remembers a failure.
    pub(crate) fn failed(&self, error: &Error) {
        let at = now_utc();
        let class = error.kind();
        let mut failing = self.failing.lock();
        failing.insert(error.call_name(), LastError { class, at });
        *self.failed_at.lock() = Some(at);
    }

    /// Remembers that the request called `call` succeeded.
    pub(crate) fn succeeded(&self, call: &str) {
        self.failing.lock().remove(call);
    }

    /// Forgets the failures that are not known to be over: the config was written and works.
    pub(crate) fn forget_failures(&self) {
        self.failing.lock().clear();
    }
}

/// Tells the health of a config, and another observer, of its requests.
pub(super) struct Observed {
    /// What is told of success.
    pub health: Arc<Health>,
    /// What is told of everything.
    pub other: Arc<dyn Observer>,
}

impl Observer for Observed {
    fn attempted(
        &self,
        call: &'static str,
        failure: Option<&'static str>,
        is_retry: bool,
        took: Duration,
    ) {
        if failure.is_none() {
            self.health.succeeded(call);
        }
        self.other.attempted(call, failure, is_retry, took);
    }

    fn waited(&self, time: Duration) {
        self.other.waited(time);
    }
}
