//! Processes that end: the plugin's and Vault's, asked and unasked.

use std::time::Duration;

use harness::Options;
use harness::Storage;
use harness::wait_until;
use serde_json::json;

use harness::SOON;
use harness::TICK;
use harness::TOO_LONG;

use crate::setup;

#[tokio::test]
async fn a_reloaded_plugin_goes_on() {
    let mount = setup::mount_with_own_process("reloaded").await;
    let credential = mount.credential("reader").await;
    for body in [
        json!({ "plugin": mount.plugin.name }),
        json!({ "mounts": [mount.path("")] }),
    ] {
        let before = mount.process();
        mount
            .api
            .write("sys/plugins/reload/backend", body)
            .await
            .ok();
        wait_until("the old process has ended", SOON, async || {
            !before.is_alive()
        })
        .await;
        mount.credential("reader").await;
        assert_ne!(mount.process(), before);
    }
    mount.revoke(&credential.lease_id).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_killed_plugin_is_back_with_the_next_read() {
    let mount = setup::mount_with_own_process("killed").await;
    let credential = mount.credential("reader").await;
    let before = mount.process();
    before.kill();
    wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
    // Vault notices by the end of the pipes, at the latest when a request fails.
    wait_until("a read succeeds again", SOON, async || {
        let reply = mount.read("creds/reader").await;
        reply.is_ok() && !mount.hold(&reply.ok()).token.is_empty()
    })
    .await;
    assert_ne!(mount.process(), before);
    mount.revoke(&credential.lease_id).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_plugin_killed_in_the_middle_of_a_mint_leaves_no_token() {
    let mount = setup::mount_with_own_process("mid-mint").await;
    mount.credential("reader").await;
    mount.astra.set_mint_answer_delay(TOO_LONG);
    let before = mount.process();
    let kill = async {
        mount.astra.until_live(2, SOON).await;
        // Only later mints are answered at once, such as that of a repeated request.
        mount.astra.set_mint_answer_delay(Duration::ZERO);
        before.kill();
    };
    let (reply, ()) = tokio::join!(mount.read("creds/reader"), kill);
    // Vault may send the request again to the new process; either way the first token must go.
    if reply.is_ok() {
        mount.hold(&reply.ok());
    }
    mount.until_reconciled(TICK).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_killed_vault_takes_the_plugin_along_and_comes_back() {
    let options = Options {
        storage: Storage::Raft,
        ..Options::default()
    };
    let mount = setup::mount_with_own_server("orphaned", options).await;
    let kept = mount.credential("reader").await;
    let plugin = mount.process();
    let sockets = || plugin_files(&mount.server);
    assert!(!sockets().is_empty(), "a running plugin has a socket");

    mount.server.kill();
    wait_until("the plugin has noticed and ended", SOON, async || {
        !plugin.is_alive()
    })
    .await;
    assert_eq!(sockets(), Vec::<String>::new(), "it cleans up after itself");
    assert!(
        mount.astra.accepts(&kept.token).await,
        "leases outlive a crash"
    );

    mount.server.restart().await;
    mount.until_reconciled(SOON).await;
    mount.credential("reader").await;
    mount.revoke(&kept.lease_id).await;
    assert!(!mount.astra.accepts(&kept.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn leases_survive_a_restart_on_raft_storage() {
    let options = Options {
        storage: Storage::Raft,
        ..Options::default()
    };
    let mount = setup::mount_with_own_server("durable", options).await;
    let kept = mount.credential("reader").await;
    let plugin = mount.process();
    mount.server.stop();
    wait_until("the plugin has ended with Vault", SOON, async || {
        !plugin.is_alive()
    })
    .await;
    assert_eq!(plugin_files(&mount.server), Vec::<String>::new());
    mount.server.restart().await;

    assert_eq!(mount.read("config").await.data()["url"], mount.astra.url());
    mount
        .api
        .write("sys/leases/renew", json!({ "lease_id": kept.lease_id }))
        .await
        .ok();
    mount.credential("reader").await;
    let raft = std::fs::read(mount.server.data_directory().join("raft/raft.db")).unwrap();
    let root = mount.astra.root_token();
    assert!(
        !raft
            .windows(root.len())
            .any(|window| window == root.as_bytes()),
        "storage is encrypted"
    );
    mount.revoke(&kept.lease_id).await;
    mount.finish().await;
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
