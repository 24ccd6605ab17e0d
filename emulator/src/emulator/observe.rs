//! What a running emulator saw and holds.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::emulator::handle::Emulator;
use crate::invariants;
use crate::invariants::Invariants;
use crate::state::journal::JournalEntry;
use crate::state::token::Origin;
use crate::state::token::TokenView;
use crate::violations::Violation;

/// A condition to wait for; all given members must hold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitFor {
    /// So many live tokens were minted through the API.
    pub token_count: Option<usize>,
    /// At least so many requests arrived since the start.
    pub journal_len: Option<u64>,
    /// At most so many orphans.
    pub orphans: Option<usize>,
}

/// Numbers of a running emulator.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests so far.
    pub requests: u64,
    /// Requests in flight now.
    pub concurrency: usize,
    /// Most requests ever in flight at once, since the last [`Emulator::reset_concurrency`].
    pub max_concurrency_seen: usize,
}

impl Emulator {
    /// Tokens minted through the API that are neither deleted nor expired, oldest first.
    pub fn live_tokens(&self) -> Vec<TokenView> {
        let state = self.inner.service.lock();
        let now = state.now();
        state
            .records
            .ledger
            .iter()
            .filter(|token| token.facts.origin == Origin::Api && token.live(now))
            .map(|token| token.view(now, false))
            .collect()
    }

    /// All tokens, seeds and deleted ones (the last 100,000) included; with their secrets if asked for.
    pub fn tokens(&self, secrets: bool) -> Vec<TokenView> {
        let state = self.inner.service.lock();
        let now = state.now();
        let ledger = &state.records.ledger;
        ledger
            .iter()
            .chain(ledger.deleted())
            .map(|token| token.view(now, secrets))
            .collect()
    }

    /// One token, live or not, without its secret.
    pub fn token(&self, client_id: &str) -> Option<TokenView> {
        let state = self.inner.service.lock();
        let now = state.now();
        state
            .records
            .ledger
            .find(client_id)
            .map(|token| token.view(now, false))
    }

    /// The journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.journal_since(0)
    }

    /// The journal after sequence number `seq`.
    pub fn journal_since(&self, seq: u64) -> Vec<JournalEntry> {
        self.inner.service.lock().journal.since(seq)
    }

    /// Empties the journal; sequence numbers go on.
    pub fn clear_journal(&self) {
        self.inner.service.lock().journal.clear();
    }

    /// Deviations from the API so far (the last 10,000).
    pub fn violations(&self) -> Vec<Violation> {
        self.inner
            .service
            .lock()
            .violations
            .iter()
            .cloned()
            .collect()
    }

    /// Forgets the deviations.
    pub fn clear_violations(&self) {
        self.inner.service.lock().violations.clear();
    }

    /// Counts what must be zero in the end.
    pub fn invariants(&self) -> Invariants {
        let state = self.inner.service.lock();
        invariants::count(&state, state.now())
    }

    /// Requests and concurrency.
    pub fn stats(&self) -> Stats {
        Stats {
            requests: self.inner.service.lock().journal.len(),
            concurrency: self.inner.service.in_flight.now(),
            max_concurrency_seen: self.inner.service.in_flight.max(),
        }
    }

    /// Starts `max_concurrency_seen` over.
    pub fn reset_concurrency(&self) {
        self.inner.service.in_flight.reset();
    }

    /// Waits until `wanted` holds; `false` if it did not in time.
    pub async fn wait(&self, wanted: WaitFor, timeout: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let changed = self.inner.service.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.holds(wanted) {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.holds(wanted);
            }
            // Counting walks through all tokens: under load, not after every single request.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn holds(&self, wanted: WaitFor) -> bool {
        let state = self.inner.service.lock();
        let requests = state.journal.len();
        if wanted.journal_len.is_some_and(|wanted| requests < wanted) {
            return false;
        }
        if wanted.token_count.is_none() && wanted.orphans.is_none() {
            return true;
        }
        let found = invariants::count(&state, state.now());
        wanted
            .token_count
            .is_none_or(|count| count == found.live_tokens)
            && wanted.orphans.is_none_or(|most| found.orphans <= most)
    }
}
