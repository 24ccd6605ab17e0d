//! Processes that end: the plugin's and Vault's, asked and unasked.

use std::time::Duration;

use harness::Options;
use harness::Storage;
use harness::wait_until;
use serde_json::json;

use crate::scene::SOON;
use crate::scene::Scene;
use crate::scene::TICK;

#[tokio::test]
async fn a_reloaded_plugin_goes_on() {
    let scene = Scene::with_own_process("reloaded").await;
    let credential = scene.credential("reader").await;
    for body in [
        json!({ "plugin": scene.plugin.name }),
        json!({ "mounts": [scene.path("")] }),
    ] {
        let before = scene.process();
        scene
            .api
            .write("sys/plugins/reload/backend", body)
            .await
            .ok();
        wait_until("the old process has ended", SOON, async || {
            !before.is_alive()
        })
        .await;
        scene.credential("reader").await;
        assert_ne!(scene.process(), before);
    }
    scene.revoke(&credential.lease_id).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_killed_plugin_is_back_with_the_next_read() {
    let scene = Scene::with_own_process("killed").await;
    let credential = scene.credential("reader").await;
    let before = scene.process();
    before.kill();
    wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
    // Vault notices by the end of the pipes, at the latest when a request fails.
    wait_until("a read succeeds again", SOON, async || {
        let reply = scene.read("creds/reader").await;
        reply.is_ok() && !scene.hold(&reply.ok()).token.is_empty()
    })
    .await;
    assert_ne!(scene.process(), before);
    scene.revoke(&credential.lease_id).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_plugin_killed_in_the_middle_of_a_mint_leaves_no_token() {
    let scene = Scene::with_own_process("mid-mint").await;
    scene.credential("reader").await;
    scene.astra.set_mint_answer_delay(Duration::from_secs(30)); // longer than any hiccup of the machine
    let before = scene.process();
    let kill = async {
        scene.astra.until_live(2, SOON).await;
        before.kill();
        scene.astra.set_mint_answer_delay(Duration::ZERO);
    };
    let (reply, ()) = tokio::join!(scene.read("creds/reader"), kill);
    // Vault may send the request again to the new process; either way the first token must go.
    if reply.is_ok() {
        scene.hold(&reply.ok());
    }
    scene.settle(TICK).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_killed_vault_takes_the_plugin_along_and_comes_back() {
    let options = Options {
        storage: Storage::Raft,
        ..Options::default()
    };
    let scene = Scene::with_own_server("orphaned", options).await;
    let kept = scene.credential("reader").await;
    let plugin = scene.process();
    let sockets = || plugin_files(&scene.server);
    assert!(!sockets().is_empty(), "a running plugin has a socket");

    scene.server.kill();
    wait_until(
        "the plugin has noticed and ended",
        Duration::from_secs(30),
        async || !plugin.is_alive(),
    )
    .await;
    assert_eq!(sockets(), Vec::<String>::new(), "it cleans up after itself");
    assert!(
        scene.astra.accepts(&kept.token).await,
        "leases outlive a crash"
    );

    scene.server.restart().await;
    scene.settle(SOON).await;
    scene.credential("reader").await;
    scene.revoke(&kept.lease_id).await;
    assert!(!scene.astra.accepts(&kept.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn leases_survive_a_restart_on_raft_storage() {
    let options = Options {
        storage: Storage::Raft,
        ..Options::default()
    };
    let scene = Scene::with_own_server("durable", options).await;
    let kept = scene.credential("reader").await;
    let plugin = scene.process();
    scene.server.stop();
    wait_until("the plugin has ended with Vault", SOON, async || {
        !plugin.is_alive()
    })
    .await;
    assert_eq!(plugin_files(&scene.server), Vec::<String>::new());
    scene.server.restart().await;

    assert_eq!(scene.read("config").await.data()["url"], scene.astra.url());
    scene
        .api
        .write("sys/leases/renew", json!({ "lease_id": kept.lease_id }))
        .await
        .ok();
    scene.credential("reader").await;
    let raft = std::fs::read(scene.server.data_directory().join("raft/raft.db")).unwrap();
    let root = scene.astra.root_token();
    assert!(
        !raft
            .windows(root.len())
            .any(|window| window == root.as_bytes()),
        "storage is encrypted"
    );
    scene.revoke(&kept.lease_id).await;
    scene.finish().await;
}

/// What plugins have put into the temporary directory. Vault itself leaves sockets there too when
/// it is killed, named `plugin` and a number.
fn plugin_files(server: &harness::Server) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(server.temporary_directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| {
            !name
                .trim_start_matches("plugin")
                .chars()
                .all(|char| char.is_ascii_digit())
        })
        .collect();
    found.sort();
    found
}
