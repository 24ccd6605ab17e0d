//! The harness against what every Vault has built in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use harness::Cluster;
use harness::Options;
use harness::Process;
use harness::SOON;
use harness::Server;
use harness::Storage;
use harness::leases;
use harness::revoke_prefix;
use harness::wait_until;
use serde_json::json;

#[tokio::test]
async fn a_server_leases_lists_and_revokes() {
    let server = Server::start(Options::default()).await;
    let api = server.api();
    server.cli().ok(&["secrets", "enable", "ssh"]).await;
    let role = json!({ "key_type": "otp", "default_user": "u", "cidr_list": "0.0.0.0/0" });
    api.write("ssh/roles/otp", role).await.ok();

    let answer = api
        .write("ssh/creds/otp", json!({ "ip": "127.0.0.1" }))
        .await
        .ok();
    let lease = answer["lease_id"].as_str().unwrap().to_owned();
    assert_eq!(leases(&api, "ssh/").await, [lease]);

    let secret = answer["data"]["key"].as_str().unwrap();
    assert!(
        !server.audit_log().contains(secret),
        "the audit log hashes secrets"
    );
    assert!(server.audit_log().contains("ssh/creds/otp"));

    revoke_prefix(&api, "ssh/").await;
    assert!(leases(&api, "ssh/").await.is_empty());
}

#[tokio::test]
async fn a_server_ends_with_its_owner() {
    let server = Server::start(Options {
        audit: false,
        ..Options::default()
    })
    .await;
    let process = server.process();
    assert!(process.is_alive() && process.rss_kb() > 10_000 && process.open_files() > 5);
    let directory = server.plugin_directory();
    drop(server);
    assert!(!process.is_alive());
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_killed_server_comes_back_with_its_data() {
    let server = Server::start(Options {
        storage: Storage::Raft,
        ..Options::default()
    })
    .await;
    let api = server.api();
    api.write("sys/mounts/kv", json!({ "type": "kv" }))
        .await
        .ok();
    api.write("kv/a", json!({ "b": "c" })).await.ok();
    server.kill();
    server.restart().await;
    assert_eq!(server.api().read("kv/a").await.data()["b"], "c");
}

#[tokio::test]
async fn a_cluster_elects_another_node() {
    let cluster = Cluster::start(
        3,
        Options {
            audit: false,
            ..Options::default()
        },
    )
    .await;
    cluster
        .active()
        .await
        .api()
        .write("sys/mounts/kv", json!({ "type": "kv" }))
        .await
        .ok();
    let old: Process = cluster.active().await.process();
    assert_eq!(cluster.standbys().await.len(), 2);
    cluster.active().await.kill();
    wait_until("another node leads", SOON, async || {
        cluster.active().await.process() != old
    })
    .await;
    let mounts = cluster.active().await.api().read("sys/mounts").await.data();
    assert_eq!(mounts["kv/"]["type"], "kv");
}
