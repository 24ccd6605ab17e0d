//! The second secrets engine of `examples/hello_plugin.rs`, in a real Vault.

use std::path::Path;
use std::path::PathBuf;

use harness::Options;
use harness::Plugin;
use harness::Server;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;

use crate::setup::BINARY;
use crate::setup::shared;

/// The version that it reports.
const VERSION: &str = "v0.1.0";

/// The example, built.
async fn binary() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--example", "hello_plugin"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .await
        .expect("cargo to run");
    assert!(status.success(), "the example builds");
    Path::new(BINARY)
        .with_file_name("examples")
        .join("hello_plugin")
}

#[tokio::test]
async fn the_example_stores_leases_and_revokes() {
    let server = shared().await;
    let api = server.api();
    let plugin = Plugin::install(&server, &binary().await, "hello", VERSION);
    plugin.register(&api).await;
    plugin.enable(&api, "hello", json!({})).await;

    let reply = api.write("hello/greetings/morning", json!({})).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.body["errors"][0],
        "text is missing: say what to greet with"
    );
    let greeting = json!({"text": "Good morning!"});
    let reply = api.write("hello/greetings/morning", greeting).await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(api.read("hello/creds/evening").await.status, 404);

    let first = api.read("hello/creds/morning").await.ok();
    let second = api.read("hello/creds/morning").await.ok();
    assert_eq!(first["data"], json!({"greeting": "Good morning!"}));
    assert_eq!(first["lease_duration"], 3600);
    assert_eq!(first["renewable"], false);
    let leased = api.list("hello/leased").await.ok();
    assert_eq!(keys(&leased).len(), 2, "{leased}");

    let lease = json!({"lease_id": first["lease_id"]});
    api.write("sys/leases/revoke", lease).await.ok();
    let left = api.list("hello/leased").await.ok();
    assert_eq!(keys(&left).len(), 1, "{left}");
    // The end of the mount revokes what is left.
    assert_ne!(first["lease_id"], second["lease_id"]);
    api.delete("sys/mounts/hello").await.ok();
    assert!(plugin.processes(&server).is_empty());
}

/// The commands of `docs/sdk.md`, as they stand there, on a development server.
#[tokio::test]
async fn the_commands_of_the_page_work() {
    let page = include_str!("../../docs/sdk.md");
    let server = Server::start(Options {
        development: true,
        plugins: vec![("hello".to_owned(), binary().await)],
        ..Options::default()
    })
    .await;
    let cli = server.cli();
    let block = page.split("```shell-session\n").nth(1).expect("commands");
    let commands = block.split("```").next().expect("their end");
    let commands = commands.replace("http://127.0.0.1:8200", &cli.address);
    let printed = cli.script(&cli.home, &commands, &[]).await.ok();
    assert!(
        printed.contains("Good morning!") && printed.contains("lease_duration     1h"),
        "{printed}"
    );
    let left = cli.run(&["list", "hello/leased"]).await;
    assert_eq!(left.code, 2, "something is still leased: {}", left.stdout);
}

#[tokio::test]
async fn the_example_tells_its_version_and_how_to_register_it() {
    let run = async |option| {
        let output = Command::new(binary().await).arg(option).output().await;
        let output = output.expect("the example to run");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let version = run("--version").await;
    assert_eq!(version, "vault-plugin-secrets-hello v0.1.0\n");
    let help = run("--help").await;
    assert!(
        help.contains("vault secrets enable hello") && help.contains("leases greetings"),
        "{help}"
    );
}

fn keys(list: &Value) -> &[Value] {
    list["data"]["keys"].as_array().map_or(&[], Vec::as_slice)
}
