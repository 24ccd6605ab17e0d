//! Registering the plugin, and what Vault refuses to run.

use std::path::Path;

use harness::Options;
use harness::Plugin;
use harness::Server;
use serde_json::json;

use crate::setup;
use crate::setup::BINARY;
use crate::setup::VERSION;
use crate::setup::shared;
use harness::READ_ONLY;

#[tokio::test]
async fn register_with_hash_and_version_by_the_command_line() {
    let server = shared().await;
    let cli = server.cli();
    let plugin = Plugin::install(&server, Path::new(BINARY), "astra-registered", VERSION);
    let sha256 = format!("-sha256={}", plugin.sha256);
    let version = format!("-version={VERSION}");
    let command = "-command=astra-registered";
    cli.ok(&[
        "plugin",
        "register",
        &sha256,
        &version,
        command,
        "secret",
        "astra-by-name",
    ])
    .await;

    let info = cli
        .json(&["plugin", "info"], &[&version, "secret", "astra-by-name"])
        .await;
    assert_eq!(info["sha256"], plugin.sha256.as_str());
    assert_eq!(info["version"], VERSION);
    assert_eq!(info["command"], "astra-registered");

    cli.ok(&["secrets", "enable", "-path=registered", "astra-by-name"])
        .await;
    let mounts = cli.json(&["secrets", "list"], &[]).await;
    assert_eq!(mounts["registered/"]["running_plugin_version"], VERSION);
    assert_eq!(
        mounts["registered/"]["running_sha256"],
        plugin.sha256.as_str()
    );
    cli.ok(&["secrets", "disable", "registered"]).await;
    cli.ok(&["plugin", "deregister", &version, "secret", "astra-by-name"])
        .await;
}

#[tokio::test]
async fn register_with_another_version_is_refused() {
    let server = shared().await;
    let plugin = Plugin::install(&server, Path::new(BINARY), "astra-misversioned", "v9.9.9");
    let body = json!({ "sha256": plugin.sha256, "version": "v9.9.9", "command": plugin.name });
    let reply = server
        .api()
        .write("sys/plugins/catalog/secret/astra-misversioned", body)
        .await;
    assert!(!reply.is_ok());
    let text = reply.body.to_string();
    assert!(
        text.contains("version mismatch") && text.contains(VERSION),
        "{text}"
    );

    let sha256 = format!("-sha256={}", plugin.sha256);
    let arguments = [
        "plugin",
        "register",
        &sha256,
        "-version=9.9.9",
        "secret",
        "astra-misversioned",
    ];
    let message = server.cli().run(&arguments).await.refused();
    assert!(message.contains("version mismatch"), "{message}");
}

#[tokio::test]
async fn register_without_a_version_takes_the_plugins_own() {
    let server = shared().await;
    let cli = server.cli();
    let plugin = Plugin::install(&server, Path::new(BINARY), "astra-unversioned", VERSION);
    let sha256 = format!("-sha256={}", plugin.sha256);
    cli.ok(&["plugin", "register", &sha256, "secret", "astra-unversioned"])
        .await;
    let version = format!("-version={VERSION}");
    let info = cli
        .json(
            &["plugin", "info"],
            &[&version, "secret", "astra-unversioned"],
        )
        .await;
    assert_eq!(info["version"], VERSION);
}

#[tokio::test]
async fn a_file_with_another_hash_is_not_run() {
    let server = shared().await;
    let mut plugin = Plugin::install(&server, Path::new(BINARY), "astra-mishashed", VERSION);
    plugin.sha256 = "0".repeat(64);
    let body = json!({ "sha256": plugin.sha256, "version": VERSION, "command": plugin.name });
    // Vault registers what it could not run, and refuses to mount it.
    server
        .api()
        .write("sys/plugins/catalog/secret/astra-mishashed", body)
        .await;
    let reply = server
        .api()
        .write("sys/mounts/mishashed", json!({ "type": "astra-mishashed" }))
        .await;
    assert!(
        !reply.is_ok() && plugin.processes(&server).is_empty(),
        "{}",
        reply.body
    );
    assert!(
        reply.body.to_string().contains("checksums did not match"),
        "{}",
        reply.body
    );
}

#[tokio::test]
async fn a_development_server_finds_the_plugin_by_itself() {
    let name = "vault-plugin-secrets-astra";
    let plugins = vec![(name.to_owned(), BINARY.into())];
    let server = Server::start(Options {
        development: true,
        plugins,
        ..Options::default()
    })
    .await;
    let cli = server.cli();
    cli.ok(&["secrets", "enable", "-path=astra", name]).await;

    let astra = harness::Astra::start().await;
    let (token, url) = (
        format!("token={}", astra.root_token()),
        format!("url={}", astra.url()),
    );
    cli.ok(&["write", "astra/config", &token, &url]).await;
    cli.ok(&[
        "write",
        "astra/roles/reader",
        &format!("astra_roles={READ_ONLY}"),
    ])
    .await;
    let answer = cli.json(&["read"], &["astra/creds/reader"]).await;
    let credential = harness::Credential::parse(&answer);
    assert!(astra.accepts(&credential.token).await);
    cli.ok(&["secrets", "disable", "astra"]).await;
    assert!(!astra.accepts(&credential.token).await);
    harness::assert_no_secret_logged(&server, &astra, &[credential]);
}

#[tokio::test]
async fn a_plugin_that_vault_runs_already_can_be_registered_again() {
    let mount = setup::mount_with_own_process("reregistered").await;
    let credential = mount.credential("reader").await;
    mount.plugin.register(&mount.api).await;
    mount.revoke(&credential.lease_id).await;
    mount.finish().await;
}
