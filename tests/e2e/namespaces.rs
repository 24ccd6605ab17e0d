//! Mounts in namespaces, on a host that has them.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::PortalToken;
use harness::Astra;
use harness::Options;
use harness::READ_ONLY;
use harness::SOON;
use harness::Server;
use harness::TICK;
use harness::TOO_LONG;
use harness::TestMount;
use harness::wait_until;
use serde_json::json;

use crate::setup;

const PAGE: &str = include_str!("../../docs/hosts.md");

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
    mount.astra.set_mint_answer_delay(TOO_LONG);
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

/// The commands of the page before a namespace is deleted, on a mount that has something of each kind.
#[tokio::test]
async fn the_commands_of_the_page_leave_nothing_of_a_namespace() {
    let Some(server) = server().await else { return };
    let mount = mount(&server, "team-a").await;
    fill(&mount).await;
    assert_eq!((mount.astra.live().len(), custom_roles(&mount)), (3, 1));
    let block = PAGE.split("```shell\n").skip(1).find_map(|part| {
        let (block, _) = part.split_once("```")?;
        block.contains("namespace delete").then_some(block)
    });
    let folder = tempfile::tempdir().unwrap();
    let cli = server.cli();
    cli.script(folder.path(), block.unwrap(), &[]).await.ok();
    assert_eq!((mount.astra.live(), custom_roles(&mount)), (vec![], 0));
    let root = server.api();
    wait_until("the namespace is gone", SOON, async || {
        root.read("sys/namespaces/team-a").await.status == 404
    })
    .await;
    mount.check_logs();
}

/// A host that deletes a namespace revokes nothing of what its mounts leased, and tells the plugin nothing.
#[tokio::test]
async fn what_a_deleted_namespace_leaves_ends_by_itself() {
    let Some(server) = server().await else { return };
    let mount = mount(&server, "team-a").await;
    fill(&mount).await;
    let before = mount.astra.live();
    let root = server.api();
    root.delete("sys/namespaces/team-a").await.ok();
    wait_until("the namespace is gone", SOON, async || {
        root.read("sys/namespaces/team-a").await.status == 404
    })
    .await;
    let left = mount.astra.live();
    assert!(left.iter().all(|id| before.contains(id)), "{left:?}");
    for client_id in left {
        // The root token's too: that of the token that it replaced.
        let seconds = mount.astra.seconds_left(&client_id);
        assert!(seconds > 0 && seconds <= 400 * 86_400, "{seconds}");
    }
    mount.check_logs();
}

/// A leased token, a static role's, and the root token of a rotation, whose predecessor had an end; and a
/// custom role in Astra.
async fn fill(mount: &TestMount) {
    mount.api.delete("astra/roles/reader").await.ok();
    let own = PortalToken {
        roles: vec!["Organization Administrator".to_owned()],
        expires_in_s: Some(90 * 86_400),
        ..PortalToken::default()
    };
    let own = mount.astra.emulator.create_token(own).unwrap();
    let config = json!({ "token": own.token, "url": mount.astra.url() });
    mount.write("config", config).await.ok();
    mount.write("rotate-root", json!({})).await.ok();
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}"], "actions": ["db-cql"], "effect": "allow",
    });
    mount
        .write("roles/app", json!({ "policy": policy }))
        .await
        .ok();
    let fixed = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    mount.write("static-roles/batch", fixed).await.ok();
    mount.read("creds/app").await.ok();
}

/// How many roles the plugin keeps in Astra.
fn custom_roles(mount: &TestMount) -> usize {
    let roles = mount.astra.emulator.roles(None).unwrap();
    let names = roles.into_iter().map(|role| role.name);
    names.filter(|name| name.starts_with("vault-")).count()
}
