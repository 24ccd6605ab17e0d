//! Several Vault servers that form one cluster with integrated storage.

use reqwest::Method;
use serde_json::json;

use crate::Options;
use crate::Server;
use crate::Storage;
use crate::server::START_LIMIT;
use crate::wait_until;

/// The greatest that a server takes: nodes that hear nothing of each other for five seconds vote again. On a
/// busy machine nodes with a smaller one would do so while a test asks them for something.
const RAFT_MULTIPLIER: u8 = 10;

/// A raft cluster on this machine.
pub struct Cluster {
    /// All nodes; which of them is active may change.
    pub nodes: Vec<Server>,
}

impl Cluster {
    /// Starts `count` nodes and waits until all of them serve.
    pub async fn start(count: usize, options: Options) -> Self {
        let options = Options {
            storage: Storage::Raft,
            raft_multiplier: RAFT_MULTIPLIER,
            ..options
        };
        let mut first = Server::start(options.clone()).await;
        first.in_cluster = true;
        let autopilot = json!({ "server_stabilization_time": "1s" });
        first
            .api()
            .write("sys/storage/raft/autopilot/configuration", autopilot)
            .await
            .ok();
        let mut nodes = vec![first];
        for _ in 1..count {
            let mut node = Server::launch(options.clone()).await;
            node.in_cluster = true;
            node.adopt_keys(&nodes[0]);
            let body = json!({ "leader_api_addr": nodes[0].address() });
            node.api().write("sys/storage/raft/join", body).await.ok();
            node.unseal().await;
            nodes.push(node);
        }
        let cluster = Self { nodes };
        cluster.wait_for_voters(count).await;
        cluster
    }

    /// The active node; waits for an election if there is none.
    pub async fn active(&self) -> &Server {
        let mut found = None;
        wait_until("the cluster has an active node", START_LIMIT, async || {
            for (index, node) in self.nodes.iter().enumerate() {
                if node.is_active().await {
                    found = Some(index);
                    return true;
                }
            }
            false
        })
        .await;
        &self.nodes[found.expect("an active node")]
    }

    /// The nodes that are not active now. Those that run know the active one, to which they forward; after
    /// an election they learn of it a moment later than it serves.
    pub async fn standbys(&self) -> Vec<&Server> {
        let mut standbys = Vec::new();
        for node in &self.nodes {
            if node.is_active().await {
                continue;
            }
            let api = node.api();
            wait_until(
                "the standby knows the active node",
                START_LIMIT,
                async || {
                    let asked = api.try_request(Method::GET, "sys/leader", None).await;
                    !asked.is_ok_and(|reply| reply.is_ok() && reply.body["leader_address"] == "")
                },
            )
            .await;
            standbys.push(node);
        }
        standbys
    }

    async fn wait_for_voters(&self, count: usize) {
        let api = self.nodes[0].api();
        wait_until("every node may vote", START_LIMIT, async || {
            let reply = api.read("sys/storage/raft/configuration").await;
            let servers = reply.body["data"]["config"]["servers"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            servers
                .iter()
                .filter(|server| server["voter"] == true)
                .count()
                == count
        })
        .await;
    }
}
