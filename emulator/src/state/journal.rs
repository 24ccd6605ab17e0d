//! The journal: what was asked and answered, without secrets.

use std::collections::VecDeque;

use serde::Serialize;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JournalEntry {
    /// Counts from 1.
    pub seq: u64,
    /// Virtual time of the arrival, RFC 3339.
    pub t: String,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`.
    pub query: Option<String>,
    /// Names and values; credentials are redacted.
    pub headers: Vec<(String, String)>,
    /// At most 4 KiB; tokens are redacted.
    pub body: String,
    /// `None` if no answer was sent (reset, hang).
    pub status: Option<u16>,
    /// Client id in the bearer token, valid or not.
    pub client_id_of_caller: Option<String>,
    /// The token that the request made or deleted.
    pub client_id_of_subject: Option<String>,
    /// Kinds of the faults that fired.
    pub fault_applied: Vec<&'static str>,
    /// Records was changed.
    pub committed: bool,
    /// The whole answer was handed to the operating system.
    pub delivered: bool,
    /// Requests in flight when this one was decided, itself included.
    pub concurrency: usize,
    /// From the arrival to the decision on the answer, in microseconds, without waiting.
    pub duration_us: u64,
}

/// A ring of entries.
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    size: usize,
    seq: u64,
}

impl Journal {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            size,
            seq: 0,
        }
    }

    /// Whether entries are kept at all.
    pub(crate) fn on(&self) -> bool {
        self.size > 0
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Number of requests so far.
    pub(crate) fn len(&self) -> u64 {
        self.seq
    }

    pub(crate) fn push(&mut self, entry: JournalEntry) {
        if self.size == 0 {
            return;
        }
        if self.entries.len() >= self.size {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn delivered(&mut self, seq: u64, delivered: bool) {
        // Entries are pushed when a request is answered, shortly before it is delivered.
        if let Some(entry) = self
            .entries
            .iter_mut()
            .rev()
            .take(4096)
            .find(|entry| entry.seq == seq)
        {
            entry.delivered = delivered;
        }
    }

    pub(crate) fn since(&self, seq: u64) -> Vec<JournalEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.seq > seq)
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
