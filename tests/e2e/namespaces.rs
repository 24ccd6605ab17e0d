//! Mounts in namespaces, on a host that has them.

use std::sync::Arc;
use std::time::Duration;

use harness::Astra;
use harness::Options;
use harness::SOON;
use harness::Server;
use harness::TICK;
use harness::TestMount;
use harness::wait_until;
use serde_json::json;

use crate::setup;

/// A server with the namespaces `team-a` and `team-b` and the plugin registered in the root namespace;
/// `None` on a host without namespaces.
async fn server() -> Option<Arc<Server>> {
    let server = Arc::new(Server::start(Options::default()).await);
    let api = server.api();
    if !server.has_namespaces().await {
        println!("this host has no namespaces");
        return None;
    }
    for namespace in ["team-a", "team-b"] {
        let path = format!("sys/namespaces/{namespace}");
        api.write(&path, json!({})).await.ok();
    }
    setup::install(&server, "astra").register(&api).await;
    Some(server)
}

/// A configured mount at `astra` in `namespace`.
async fn mount(server: &Arc<Server>, namespace: &str) -> TestMount {
    let plugin = setup::install(server, "astra");
    let astra = Astra::start().await;
    let mount = TestMount::enable_in(namespace, server, plugin, astra, "astra").await;
    mount.configure().await;
    mount
}

#[tokio::test]
async fn mounts_at_one_path_in_two_namespaces_share_nothing() {
    let Some(server) = server().await else { return };
    let first = mount(&server, "team-a").await;
    let second = mount(&server, "team-b").await;
    let one = first.credential("reader").await;
    let two = second.credential("reader").await;
    assert!(!first.astra.accepts(&two.token).await && !second.astra.accepts(&one.token).await);

    second.api.delete("astra/roles/reader").await.ok();
    assert_eq!(second.read("creds/reader").await.status, 400);
    first.credential("reader").await;
    first.revoke(&one.lease_id).await;
    assert!(!first.astra.accepts(&one.token).await);
    first.finish().await;
    second.finish().await;
}

#[tokio::test]
async fn the_tick_removes_the_token_of_a_dead_process_in_a_namespace() {
    let Some(server) = server().await else { return };
    let mount = mount(&server, "team-a").await;
    mount.astra.set_mint_answer_delay(Duration::from_secs(30));
    let before = mount.process();
    let kill = async {
        mount.astra.until_live(1, SOON).await;
        before.kill();
        mount.astra.set_mint_answer_delay(Duration::ZERO);
    };
    let (reply, ()) = tokio::join!(mount.read("creds/reader"), kill);
    if reply.is_ok() {
        mount.hold(&reply.ok());
    }
    mount.until_reconciled(TICK).await;
    mount.finish().await;
}

/// A host that deletes a namespace does not revoke what its mounts leased; `docs/hosts.md` says to
/// disable the mounts before.
#[tokio::test]
async fn a_namespace_whose_mount_was_disabled_leaves_no_token() {
    let Some(server) = server().await else { return };
    let mount = mount(&server, "team-a").await;
    mount.credential("reader").await;
    mount.api.delete("sys/mounts/astra").await.ok();
    assert!(mount.astra.live().is_empty());
    let root = server.api();
    root.delete("sys/namespaces/team-a").await.ok();
    wait_until("the namespace is gone", SOON, async || {
        root.read("sys/namespaces/team-a").await.status == 404
    })
    .await;
    mount.check_logs();
}
