//! Bad input, by raw HTTP and by the command line: one clear 400 with exactly this text, and nothing
//! has changed, neither in Vault nor in Astra.

mod configs;
mod credentials;
mod roles;
mod static_roles;

use serde_json::Value;
use serde_json::json;

use crate::scene::Scene;

/// What is stored and what Astra holds, to be compared.
async fn state(scene: &Scene) -> Value {
    let mut found = Vec::new();
    for kind in ["config", "roles", "static-roles"] {
        for name in scene.api.list(&scene.path(kind)).await.keys() {
            found.push(scene.read(&format!("{kind}/{name}")).await.data());
        }
    }
    let roles = scene.astra.emulator.roles(None).unwrap().len();
    json!([found, scene.astra.live(), scene.astra.minted(), roles])
}

/// Sends `body` to `path` and expects exactly `text`; then the same by `vault write`.
async fn refused(scene: &Scene, path: &str, body: Value, text: &str) {
    let before = state(scene).await;
    let reply = scene.write(path, body.clone()).await;
    assert_eq!(reply.refused(400), text, "{path} {body}");

    let mut arguments = vec!["write".to_owned(), scene.path(path)];
    for (field, value) in body.as_object().unwrap() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        arguments.push(format!("{field}={value}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = scene.cli.run(&arguments).await.refused();
    assert!(
        output.contains("Code: 400") && output.contains(&format!("* {text}")),
        "{text:?} is not in {output:?}"
    );
    assert_eq!(
        state(scene).await,
        before,
        "{path} {body} changed something"
    );
}
