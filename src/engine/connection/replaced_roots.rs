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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::testing::AstraMount;

    #[tokio::test]
    async fn a_root_counts_as_used_as_long_as_a_request_of_its_config_holds_it() {
        let mut mount = AstraMount::mounted().await;
        let token = mount.astra.seeds().organizations[1].root_token.clone();
        mount.write_config("other", &token).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            // Each process has connections of its own.
            mount.restart();
            held.push(
                mount
                    .backend
                    .engine
                    .configs
                    .require("default")
                    .await
                    .unwrap(),
            );
        }
        let roots = ReplacedRoots::default();
        for connection in &held {
            roots.add(connection);
        }
        drop(mount);
        assert!(roots.are_in_use("default") && !roots.are_in_use("other"));
        held.pop();
        assert!(roots.are_in_use("default"), "the first is held still");
        roots.add(&held[0]);
        assert!(roots.are_in_use("default"));
        assert_eq!(
            roots.0.lock().len(),
            2,
            "what no request holds is forgotten"
        );
        held.clear();
        assert!(!roots.are_in_use("default"));
    }
}
