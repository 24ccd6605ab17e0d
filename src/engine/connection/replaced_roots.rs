//! Which root tokens that rotation replaced are still in use.

use std::sync::Arc;
use std::sync::Weak;

use parking_lot::Mutex;

use super::Connection;

/// The connections that rotation replaced in this process, as far as requests still hold them.
#[derive(Default)]
pub(crate) struct ReplacedRoots(Mutex<Vec<Weak<Connection>>>);

impl ReplacedRoots {
    /// The root token of `connection` was replaced.
    pub(crate) fn add(&self, connection: &Arc<Connection>) {
        let mut replaced = self.0.lock();
        replaced.retain(|other| other.strong_count() > 0);
        replaced.push(Arc::downgrade(connection));
    }

    /// Whether a request that began with a former root token of the config called `name` still runs.
    pub(crate) fn are_in_use(&self, name: &str) -> bool {
        let replaced = self.0.lock();
        let mut in_use = replaced.iter().filter_map(Weak::upgrade);
        in_use.any(|connection| connection.name == name)
    }
}
