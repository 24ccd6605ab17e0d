//! Clusters whose nodes come and go, and storage restored from an older snapshot.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use harness::Api;
use harness::Astra;
use harness::Cluster;
use harness::Marks;
use harness::Options;
use harness::Plugin;
use harness::Server;
use harness::Storage;
use harness::Stored;
use harness::wait_until;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::binary;
use crate::load::Load;
use crate::reconciliation::Inventory;
use crate::reconciliation::Reconciliation;
use crate::reconciliation::assert_kept;
use crate::setup;
use harness::SOON;
use harness::TICK;
use harness::until_ticked;

const CLIENTS: usize = 16;
const MOUNT: &str = "astra";

/// What a standby logs that received a restored snapshot late.
const STALE_STANDBY: &str = "skipping application of old log";

#[tokio::test]
async fn nodes_that_come_and_go_under_load_leave_nothing_behind() {
    let options = Options {
        raw_storage: true,
        audit: false,
        log_level: "debug",
        plugins: vec![(MOUNT.to_owned(), binary::PLAIN.into())],
        ..Options::default()
    };
    let cluster = Cluster::start(3, options).await;
    let (astra, plugin) = set_up(&cluster).await;
    let (mut known, mut marks) = (BTreeSet::new(), Marks::default());
    for event in [
        "the leader is killed",
        "the leader steps down",
        "all nodes are killed",
    ] {
        astra.set_latency(Duration::from_millis(150));
        let apis: Vec<Api> = cluster.nodes.iter().map(Server::api).collect();
        let load = Load::start(CLIENTS, MOUNT, &apis);
        load.until_answered(2 * CLIENTS).await;
        match event {
            "the leader is killed" => {
                let leader = cluster.active().await;
                leader.kill();
                until_new_leader(&cluster).await;
                leader.restart().await;
            }
            "the leader steps down" => {
                let leader = cluster.active().await;
                leader.api().write("sys/step-down", json!({})).await.ok();
                wait_until("another node leads", SOON, async || {
                    !leader.is_active().await
                })
                .await;
                until_new_leader(&cluster).await;
            }
            _ => {
                for node in &cluster.nodes {
                    node.kill();
                }
                // Two at once: one alone has no quorum to serve with.
                futures_util::future::join_all(cluster.nodes.iter().map(Server::restart)).await;
                until_new_leader(&cluster).await;
            }
        }
        let leader = cluster.active().await.api();
        Stored::new(&leader, MOUNT).note_marks(&mut marks).await;
        load.until_answered(load.answered() + 2 * CLIENTS).await;
        let mut seen = load.stop().await;
        astra.set_latency(Duration::ZERO);

        let leader = cluster.active().await;
        let (api, stored) = (leader.api(), Stored::new(&leader.api(), MOUNT));
        seen.end_unclear(&api).await;
        let nodes: Vec<&Server> = cluster.nodes.iter().collect();
        until_ticked(&nodes, &plugin.name).await;
        let inventory = Inventory {
            mount: event,
            stored: &stored,
            astra: &astra,
            own: known.clone(),
            marks: marks.clone(),
        };
        let result = Reconciliation::reached(&inventory, TICK).await;
        assert_kept(&stored, &astra, &seen.kept).await;
        println!(
            "{event}: {} handed out, {} requests failed, 0 orphans, {} in the window",
            seen.kept.len() + seen.revoked.len(),
            seen.failures,
            result.window.len()
        );
        // The next rounds know them; their blocks will be gone by then.
        known.extend(result.window);
    }
}

#[tokio::test]
async fn a_restored_snapshot_costs_no_token_that_was_handed_out() {
    let mount = setup::mount_with_own_server("restored", Storage::Raft).await;
    let old = mount.eventual_credential("reader").await;
    let ended = mount.eventual_credential("reader").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot");
    let file = file.to_str().unwrap();
    let cli = mount.server.cli();
    cli.ok(&["operator", "raft", "snapshot", "save", file])
        .await;

    let mut since = Vec::new();
    for _ in 0..3 {
        since.push(mount.eventual_credential("reader").await);
    }
    assert!(mount.try_revoke(&ended.lease_id).await.is_ok());
    cli.ok(&["operator", "raft", "snapshot", "restore", "-force", file])
        .await;
    wait_until("Vault serves what was restored", SOON, async || {
        let lease = json!({ "lease_id": since[0].lease_id });
        let looked_up = mount.api.write("sys/leases/lookup", lease).await;
        looked_up.status == 400 && mount.read("config").await.is_ok()
    })
    .await;
    mount.until_tick().await;
    mount.until_tick().await;

    // Clearing up does not touch what was handed out, although Vault knows nothing of it any more.
    for credential in since.iter().chain([&old]) {
        assert!(
            mount.astra.accepts(&credential.token).await,
            "{} was deleted",
            credential.client_id
        );
    }
    // They are shown, and tidy leaves them alone: their leases could live in another cluster.
    let shown = mount
        .api
        .list(&format!("{}/tokens/default", mount.name))
        .await;
    let shown: BTreeSet<String> = shown.keys().into_iter().collect();
    assert!(since.iter().all(|one| shown.contains(&one.client_id)));
    for dry_run in [true, false] {
        let tidied = mount
            .write("tidy", json!({ "dry_run": dry_run }))
            .await
            .data();
        assert_eq!(
            (&tidied["deleted"], &tidied["kept"]),
            (&json!(0), &json!(4)),
            "{tidied}"
        );
    }
    // The lease of a token that is long deleted is back, and ends without an error.
    let lease = json!({ "lease_id": ended.lease_id, "sync": true });
    mount
        .insist(Method::PUT, "sys/leases/revoke", Some(lease))
        .await;
    assert!(mount.try_revoke(&old.lease_id).await.is_ok());
    assert!(!mount.astra.accepts(&old.token).await);
    let new = mount.eventual_credential("reader").await;
    assert!(mount.astra.accepts(&new.token).await);
    for credential in &since {
        let left = mount.astra.seconds_left(&credential.client_id);
        assert!(left > 0 && left <= 8 * 3_600 + 600, "{left}");
    }
}

/// A standby that keeps what it has read would go on serving it: the host tells the plugins of a
/// restored snapshot nothing.
#[tokio::test]
async fn every_node_serves_what_a_restored_snapshot_has() {
    let options = Options {
        audit: false,
        plugins: vec![(MOUNT.to_owned(), binary::PLAIN.into())],
        ..Options::default()
    };
    let cluster = Cluster::start(3, options).await;
    let (astra, _plugin) = set_up(&cluster).await;
    let active = cluster.active().await.api();
    let role = json!({ "astra_roles": "API RO User", "rotation_period": "24h" });
    active.write("astra/static-roles/batch", role).await.ok();
    let restored = served(&active).await;
    assert_eq!(restored.1, json!(3_600));
    until_all_serve(&cluster, &restored).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot");
    let file = file.to_str().unwrap();
    let cli = cluster.active().await.cli();
    cli.ok(&["operator", "raft", "snapshot", "save", file])
        .await;

    active
        .write("astra/rotate-role/batch", json!({}))
        .await
        .ok();
    active
        .write("astra/roles/reader", json!({ "ttl": "7m" }))
        .await
        .ok();
    active
        .write("astra/roles/since", json!({ "astra_roles": "API RO User" }))
        .await
        .ok();
    let since = served(&active).await;
    assert_ne!(since.0, restored.0);
    assert_eq!(since.1, json!(420));
    until_all_serve(&cluster, &since).await;

    let logs: Vec<u64> = cluster.nodes.iter().map(Server::log_length).collect();
    cli.ok(&["operator", "raft", "snapshot", "restore", "-force", file])
        .await;
    until_all_serve_restored(&cluster, &restored, &logs).await;
    for node in &cluster.nodes {
        let gone = node.api().read("astra/roles/since").await;
        assert_eq!(gone.status, 404, "what the snapshot does not have");
        let credential = node.api().read("astra/static-creds/batch").await.data();
        let token = credential["token"].as_str().unwrap();
        assert!(astra.accepts(token).await, "within its overlap");
    }
    // Another leader has the same.
    cluster
        .active()
        .await
        .api()
        .write("sys/step-down", json!({}))
        .await;
    until_new_leader(&cluster).await;
    until_all_serve(&cluster, &restored).await;
}

/// The client id of the static role's token and the role's TTL, as a node has them; null where it
/// does not answer.
async fn served(api: &Api) -> (Value, Value) {
    let read = async |path: &str, field: &str| {
        let reply = api.try_request(Method::GET, path, None).await;
        match reply {
            Ok(reply) if reply.is_ok() => reply.data()[field].clone(),
            _ => Value::Null,
        }
    };
    (
        read("astra/static-creds/batch", "client_id").await,
        read("astra/roles/reader", "ttl").await,
    )
}

async fn until_all_serve(cluster: &Cluster, expected: &(Value, Value)) {
    wait_until("each node serves what storage has", SOON, async || {
        for node in &cluster.nodes {
            if served(&node.api()).await != *expected {
                return false;
            }
        }
        true
    })
    .await;
}

/// The same after a restored snapshot. A standby of OpenBao that receives it late keeps what it has read
/// before, of each mount, and logs so; it is restarted, as the documents say (docs/operate.md). `logs` are
/// the lengths of the nodes' logs before.
async fn until_all_serve_restored(cluster: &Cluster, expected: &(Value, Value), logs: &[u64]) {
    let mut is_restarted = vec![false; cluster.nodes.len()];
    wait_until("each node serves what was restored", SOON, async || {
        let mut all_serve = true;
        for ((node, log), is_restarted) in cluster.nodes.iter().zip(logs).zip(&mut is_restarted) {
            if served(&node.api()).await == *expected {
                continue;
            }
            all_serve = false;
            let is_stale = node.log_since(*log).0.contains(STALE_STANDBY);
            if is_stale && !*is_restarted && !node.is_active().await {
                node.restart().await;
                *is_restarted = true;
            }
        }
        all_serve
    })
    .await;
}

async fn set_up(cluster: &Cluster) -> (Astra, Plugin) {
    let active = cluster.active().await;
    let plugin = Plugin::install(active, Path::new(binary::PLAIN), MOUNT, binary::VERSION);
    let (api, astra) = (active.api(), Astra::start().await);
    plugin.register(&api).await;
    plugin.enable(&api, MOUNT, json!({})).await;
    let config = json!({ "token": astra.root_token(), "url": astra.url() });
    api.write("astra/config", config).await.ok();
    let role = json!({ "astra_roles": "API RO User", "ttl": "1h", "max_ttl": "8h" });
    api.write("astra/roles/reader", role).await.ok();
    (astra, plugin)
}

async fn until_new_leader(cluster: &Cluster) {
    wait_until("a leader serves the mount", TICK, async || {
        let leader = cluster.active().await;
        let read = leader
            .api()
            .try_request(Method::GET, "astra/config", None)
            .await;
        read.is_ok_and(|reply| reply.is_ok())
    })
    .await;
}
