//! What was learned about a config's organization.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::astra::Error;
use crate::engine::clock::now_utc;
use crate::engine::intent::DescriptionForm;

/// What the organization's answers showed, kept in memory for `status`.
#[derive(Default)]
pub struct Health {
    /// Held while the organization's live tokens are read for a caller.
    pub listing: tokio::sync::Mutex<()>,
    ignores_description: AtomicBool,
    ignores_expiry: AtomicBool,
    plain_descriptions: AtomicBool,
    last_error: Mutex<Option<LastError>>,
    seen: Mutex<Option<Seen>>,
}

/// The live tokens of a config, as a list of tokens had them.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
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
    pub fn new() -> Self {
        Self {
            at: Instant::now(),
            leased: 0,
            of_static_roles: 0,
            roots: 0,
            root_expiry: None,
        }
    }

    /// All of them.
    pub fn live(&self) -> usize {
        self.leased + self.of_static_roles + self.roots
    }
}

/// The newest failure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastError {
    /// Its class, [`Error::kind`].
    pub class: &'static str,
    /// When.
    pub at: OffsetDateTime,
}

impl Health {
    /// Whether tokens come without their description: lost tokens cannot be found then.
    pub fn ignores_description(&self) -> bool {
        self.ignores_description.load(Ordering::Relaxed)
    }

    /// Whether tokens come without an expiry: only the end of the lease ends them then.
    pub fn ignores_expiry(&self) -> bool {
        self.ignores_expiry.load(Ordering::Relaxed)
    }

    /// In which form a description is kept.
    pub fn description_form(&self) -> DescriptionForm {
        match self.plain_descriptions.load(Ordering::Relaxed) {
            true => DescriptionForm::Plain,
            false => DescriptionForm::Full,
        }
    }

    /// Remembers that longer descriptions, or other characters, are refused, cut or changed.
    pub fn set_plain_descriptions(&self) {
        self.plain_descriptions.store(true, Ordering::Relaxed);
    }

    /// What the newest count of tokens showed.
    pub fn seen(&self) -> Option<Seen> {
        self.seen.lock().clone()
    }

    /// Remembers a count of tokens.
    pub fn saw(&self, seen: Seen) {
        *self.seen.lock() = Some(seen);
    }

    /// The newest failure since this process started.
    pub fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().clone()
    }

    /// Remembers what the newest token showed.
    pub fn minted(&self, ignores_description: bool, ignores_expiry: bool) {
        self.ignores_description
            .store(ignores_description, Ordering::Relaxed);
        self.ignores_expiry.store(ignores_expiry, Ordering::Relaxed);
    }

    /// Remembers a failure.
    pub fn failed(&self, error: &Error) {
        let last = LastError {
            class: error.kind(),
            at: now_utc(),
        };
        *self.last_error.lock() = Some(last);
    }
}
