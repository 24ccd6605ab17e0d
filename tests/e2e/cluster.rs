//! Several Vault nodes.

use std::path::Path;
use std::time::Duration;

use harness::Astra;
use harness::Cluster;
use harness::Credential;
use harness::Holdings;
use harness::Options;
use harness::Plugin;
use harness::Server;
use harness::assert_reconciled;
use harness::wait_until;
use serde_json::json;

use crate::setup::BINARY;
use crate::setup::VERSION;
use harness::READ_ONLY;
use harness::SOON;

#[tokio::test]
async fn standbys_forward_and_another_node_takes_over() {
    let cluster = Cluster::start(3, Options::default()).await;
    let active = cluster.active().await;
    let plugin = Plugin::install(active, Path::new(BINARY), "astra", VERSION);
    for node in cluster.standbys().await {
        Plugin::install(node, Path::new(BINARY), "astra", VERSION);
    }
    let (api, astra) = (active.api(), Astra::start().await);
    plugin.register(&api).await;
    plugin.enable(&api, "astra", json!({})).await;
    api.write(
        "astra/config",
        json!({ "token": astra.root_token(), "url": astra.url() }),
    )
    .await
    .ok();
    api.write(
        "astra/roles/reader",
        json!({ "astra_roles": READ_ONLY, "ttl": "1h" }),
    )
    .await
    .ok();

    let mut holdings = Holdings::default();
    holdings.leased.push(read(active).await);
    for node in cluster.standbys().await {
        // The active node answers for it, once.
        wait_until("the standby forwards", SOON, async || {
            node.api().read("astra/config").await.is_ok()
        })
        .await;
        holdings.leased.push(read(node).await);
    }
    assert_eq!(astra.minted(), 3);

    let old = active.process();
    active.kill();
    wait_until("another node leads", Duration::from_secs(60), async || {
        cluster.active().await.process() != old
    })
    .await;
    let leader = cluster.active().await;
    wait_until("the new leader serves the mount", SOON, async || {
        leader.api().read("astra/config").await.is_ok()
    })
    .await;
    holdings.leased.push(read(leader).await);
    assert_reconciled(&leader.api(), &astra, "astra", &holdings, SOON).await;

    harness::revoke_prefix(&leader.api(), "astra/").await;
    assert_reconciled(&leader.api(), &astra, "astra", &holdings, SOON).await;
    assert!(astra.live().is_empty());
    for node in &cluster.nodes {
        harness::assert_no_secret_logged(node, &astra, &holdings.leased);
    }
}

async fn read(node: &Server) -> Credential {
    Credential::parse(&node.api().read("astra/creds/reader").await.ok())
}
