//! Several Vault nodes.

use std::path::Path;

use harness::Api;
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
    let (cluster, astra) = mounted_cluster().await;
    let active = cluster.active().await;
    let api = active.api();
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
    wait_until("another node leads", SOON, async || {
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

/// A cluster of three with a mount at `astra`.
async fn mounted_cluster() -> (Cluster, Astra) {
    let options = Options {
        plugins: vec![("astra".to_owned(), BINARY.into())],
        ..Options::default()
    };
    let cluster = Cluster::start(3, options).await;
    let active = cluster.active().await;
    let plugin = Plugin::install(active, Path::new(BINARY), "astra", VERSION);
    let (api, astra) = (active.api(), Astra::start().await);
    plugin.register(&api).await;
    plugin.enable(&api, "astra", json!({})).await;
    (cluster, astra)
}

/// Every kind of request, sent to a standby alone. A host answers what it can on the standby and sends
/// the rest to the active node; what counts is that each is done, once.
#[tokio::test]
async fn every_kind_of_request_works_on_a_standby() {
    let (cluster, astra) = mounted_cluster().await;
    let standby = cluster.standbys().await[0];
    let api = standby.api();
    let config = json!({ "token": astra.root_token(), "url": astra.url() });
    wait_until("the standby knows the mount", SOON, async || {
        api.write("astra/config", config.clone()).await.is_ok()
    })
    .await;
    let role = json!({ "astra_roles": READ_ONLY, "ttl": "1h", "max_ttl": "8h" });
    api.write("astra/roles/reader", role).await.ok();
    api.patch("astra/roles/reader", json!({ "ttl": "30m" }))
        .await
        .ok();
    let fixed = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h", "overlap": "0" });
    api.write("astra/static-roles/app", fixed).await.ok();

    // A standby that reads for itself may be behind for a moment.
    wait_until("the standby shows what was written", SOON, async || {
        let role = api.read("astra/roles/reader").await;
        let creds = api.read("astra/static-creds/app").await;
        role.is_ok() && role.data()["ttl"] == 1_800 && creds.is_ok()
    })
    .await;
    for list in ["config", "roles", "static-roles"] {
        assert_eq!(
            api.list(&format!("astra/{list}")).await.keys().len(),
            1,
            "{list}"
        );
    }
    for list in ["astra-roles/default", "databases/default", "tokens/default"] {
        assert!(
            !api.list(&format!("astra/{list}")).await.keys().is_empty(),
            "{list}"
        );
    }
    api.read("astra/astra-roles/default/API%20RO%20User")
        .await
        .ok();
    says_what_it_does_not_know(&api).await;
    assert_eq!(astra.minted(), 1, "the static role's token");

    // Minting, renewing, revoking.
    let answer = api.read("astra/creds/reader").await.ok();
    assert_eq!(answer["lease_duration"], 1_800);
    let credential = Credential::parse(&answer);
    assert_eq!(astra.minted(), 2);
    let lease = json!({ "lease_id": credential.lease_id, "sync": true });
    let of_leases = match harness::serves_leases(&api, &credential.lease_id).await {
        true => api.clone(),
        false => cluster.active().await.api(),
    };
    for action in ["renew", "revoke"] {
        let path = format!("sys/leases/{action}");
        of_leases.write(&path, lease.clone()).await.ok();
    }
    assert!(!astra.accepts(&credential.token).await);
    let posted = api
        .write("astra/creds/reader", json!({ "ttl": "5m" }))
        .await;
    let posted = Credential::parse(&posted.ok());
    assert_eq!(astra.minted(), 3);

    // Rotations, each done once.
    let before = api.read("astra/static-creds/app").await.data();
    api.write("astra/rotate-role/app", json!({})).await.ok();
    assert_eq!(astra.minted(), 4);
    wait_until("the standby shows the new token", SOON, async || {
        let now = api.read("astra/static-creds/app").await.data();
        now["client_id"] != before["client_id"] && astra.accepts(&text(&now["token"])).await
    })
    .await;
    api.write("astra/rotate-root", json!({})).await.ok();
    assert_eq!(astra.minted(), 5);
    let read = api.read("astra/creds/reader").await.ok();
    let last = Credential::parse(&read);
    api.write("astra/tidy", json!({})).await.ok();

    // Every node shows the same.
    let active = cluster.active().await.api();
    let wanted = active.read("astra/static-creds/app").await.data();
    for node in &cluster.nodes {
        wait_until("every node shows the same token", SOON, async || {
            let shown = node.api().read("astra/static-creds/app").await;
            shown.is_ok() && shown.data()["client_id"] == wanted["client_id"]
        })
        .await;
    }
    let root = text(&active.read("astra/config").await.data()["token_client_id"]);
    let holdings = Holdings {
        leased: vec![posted, last],
        unleased: [text(&wanted["client_id"]), root].into(),
        replaced_roots: 1,
    };
    assert_reconciled(&active, &astra, "astra", &holdings, SOON).await;
    api.delete("astra/static-roles/app").await.ok();
    harness::revoke_prefix(&active, "astra/").await;
    api.delete("astra/roles/reader").await.ok();
    assert_eq!(astra.live().len(), 1, "the root token alone is left");
    for node in &cluster.nodes {
        harness::assert_no_secret_logged(node, &astra, &holdings.leased);
    }
}

/// A standby that answers for itself, as OpenBao's do, says so in each form of the status.
async fn says_what_it_does_not_know(standby: &Api) {
    let mut warned = Vec::new();
    let all = standby.read("astra/status").await;
    let one = standby.read("astra/status/default").await;
    let list = standby.list("astra/status").await;
    for answer in [&all, &one, &list] {
        let told = answer.warnings();
        let told = told
            .iter()
            .any(|one| one.starts_with("this node may not write"));
        warned.push(told);
    }
    let (all, one, list) = (all.data(), one.data(), list.data());
    let knows = all["may_write"] == true;
    println!("the standby asks the active node: {knows}");
    assert_eq!(warned, [!knows; 3]);
    assert_eq!(one["may_write"], knows);
    for known in [
        &one["pending_intents"],
        &all["configs"]["default"]["pending_intents"],
        &list["key_info"]["default"]["pending_intents"],
    ] {
        assert_eq!(known.is_u64(), knows);
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a text").to_owned()
}
