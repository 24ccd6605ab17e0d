//! Bad input, by raw HTTP and by the command line: one clear 400 with exactly this text, and nothing
//! has changed, neither in Vault nor in Astra.

mod configs;
mod credentials;
mod roles;
mod static_roles;

use serde_json::Value;
use serde_json::json;

use harness::TestMount;

/// What is stored and what Astra holds, to be compared.
async fn state(mount: &TestMount) -> Value {
    let mut found = Vec::new();
    for kind in ["config", "roles", "static-roles"] {
        for name in mount.api.list(&mount.path(kind)).await.keys() {
            found.push(mount.read(&format!("{kind}/{name}")).await.data());
        }
    }
    let roles = mount.astra.emulator.roles(None).unwrap().len();
    json!([found, mount.astra.live(), mount.astra.minted(), roles])
}

/// Sends `body` to `path` and expects exactly `text`; then the same by `vault write`.
async fn refused(mount: &TestMount, path: &str, body: Value, text: &str) {
    let before = state(mount).await;
    let reply = mount.write(path, body.clone()).await;
    assert_eq!(reply.refused(400), text, "{path} {body}");

    let mut arguments = vec!["write".to_owned(), mount.path(path)];
    for (field, value) in body.as_object().unwrap() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        arguments.push(format!("{field}={value}"));
    }
    // The command line wants at least one.
    if arguments.len() == 2 {
        arguments.insert(1, "-force".to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = mount.cli.run(&arguments).await.refused();
    assert!(
        output.contains("Code: 400") && output.contains(&format!("* {text}")),
        "{text:?} is not in {output:?}"
    );
    assert_eq!(
        state(mount).await,
        before,
        "{path} {body} changed something"
    );
}
