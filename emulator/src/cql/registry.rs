//! The CQL connections of an emulator, as tests see them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

/// How many connections are remembered, the newest ones.
const KEPT: usize = 10_000;

/// Which form of a credential came with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CqlCredential {
    /// The user name is the word `token`, the password the token.
    Token,
    /// Client id and client secret.
    Secret,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CqlOutcome {
    /// Not authenticated yet.
    Connecting,
    /// Authenticated, in use.
    Open,
    /// Authenticated, and ended by either side.
    Closed,
    /// Its credential was refused.
    Refused,
    /// It ended without a decision about a credential.
    Ended,
}

/// One CQL connection. It has no secret in it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CqlConnection {
    /// Grows with each connection.
    pub id: u64,
    /// UUID of the database that the client certificate names.
    pub database: String,
    /// Region that the client certificate names.
    pub region: String,
    /// Client id of the credential, as far as it could be read.
    pub client_id: Option<String>,
    /// Form of the credential.
    pub form: Option<CqlCredential>,
    /// `DRIVER_NAME` of the client's STARTUP message.
    pub driver: Option<String>,
    /// `DRIVER_VERSION` of the client's STARTUP message.
    pub driver_version: Option<String>,
    /// Version of the CQL protocol; 0 before the first readable message.
    pub protocol: u8,
    /// What became of it.
    pub outcome: CqlOutcome,
    /// Statements so far, batches and failed ones included.
    pub statements: u64,
    /// Virtual time, RFC 3339.
    pub opened: String,
}

struct Entry {
    seen: CqlConnection,
    cut: Arc<Notify>,
}

/// All connections, oldest first.
#[derive(Default)]
pub(super) struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    last: u64,
    kept: VecDeque<Entry>,
}

impl Registry {
    /// Enters a connection; gives its id, and what is told when it is to be cut.
    pub(super) fn enter(&self, database: &str, region: &str, opened: String) -> (u64, Arc<Notify>) {
        let mut entries = self.entries.lock();
        entries.last += 1;
        let id = entries.last;
        let cut = Arc::new(Notify::new());
        if entries.kept.len() >= KEPT {
            entries.kept.pop_front();
        }
        entries.kept.push_back(Entry {
            seen: CqlConnection {
                id,
                database: database.to_owned(),
                region: region.to_owned(),
                client_id: None,
                form: None,
                driver: None,
                driver_version: None,
                protocol: 0,
                outcome: CqlOutcome::Connecting,
                statements: 0,
                opened,
            },
            cut: cut.clone(),
        });
        (id, cut)
    }

    pub(super) fn update(&self, id: u64, change: impl FnOnce(&mut CqlConnection)) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries
            .kept
            .iter_mut()
            .rev()
            .find(|entry| entry.seen.id == id)
        {
            change(&mut entry.seen);
        }
    }

    pub(super) fn all(&self) -> Vec<CqlConnection> {
        let entries = self.entries.lock();
        entries
            .kept
            .iter()
            .map(|entry| entry.seen.clone())
            .collect()
    }

    /// Cuts the open connections of a database, or of all; gives how many.
    pub(super) fn cut(&self, database: Option<&str>) -> usize {
        let entries = self.entries.lock();
        entries
            .kept
            .iter()
            .filter(|entry| {
                matches!(
                    entry.seen.outcome,
                    CqlOutcome::Open | CqlOutcome::Connecting
                ) && database.is_none_or(|wanted| wanted == entry.seen.database)
            })
            .map(|entry| entry.cut.notify_one())
            .count()
    }
}
