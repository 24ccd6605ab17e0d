//! A client that an ordinary generator makes from the server's OpenAPI document: its fields have types, and
//! the credential that it reads works.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use harness::READ_ONLY;
use harness::TestMount;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;

use crate::setup;

/// What the client reads, below the mount.
const READ: [&str; 7] = [
    "creds/reader",
    "config",
    "config/default",
    "roles/reader",
    "static-roles/batch",
    "static-creds/batch",
    "status",
];

#[tokio::test]
async fn a_generated_client_reads_a_credential_into_typed_fields() {
    let mount = setup::mount("generated").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    let path = mount.path("static-roles/batch");
    mount.api.write(&path, role).await.ok();
    let folder = tempfile::tempdir().unwrap();
    generate(&mount, folder.path()).await;
    let read = read(&mount, folder.path()).await;

    let credential = &read[&mount.path("creds/reader")];
    let types = json!({
        "client_id": "str", "client_secret": "str", "expires_at": "str", "org_id": "str",
        "token": "str",
    });
    for (field, declared) in types.as_object().unwrap() {
        assert_eq!(&credential["types"][field], declared, "{field}");
    }
    assert_eq!(credential["lease_duration"], 3600);
    let token = credential["data"]["token"].as_str().unwrap();
    assert!(mount.astra.accepts(token).await);
    mount.revoke(credential["lease_id"].as_str().unwrap()).await;
    assert!(!mount.astra.accepts(token).await);

    // Durations are written as text or numbers, and read as numbers.
    let role = &read[&mount.path("roles/reader")];
    assert_eq!(role["types"]["ttl"], "int");
    assert_eq!(role["data"]["ttl"], 3600);
    assert_eq!(role["types"]["astra_roles"], "list[str]");
    mount.api.delete(&path).await;
    mount.finish().await;
}

/// Makes a client of the mount in `folder`.
async fn generate(mount: &TestMount, folder: &Path) {
    // Of the whole server's document the paths of this mount: the rest is not the plugin's.
    let mut document = mount.openapi().await;
    let prefix = format!("/{}/", mount.name);
    let paths = document["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| path.starts_with(&prefix));
    assert!(!paths.is_empty(), "the document has the mount");
    let used = document["paths"].to_string();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    schemas.retain(|name, _| used.contains(&format!("#/components/schemas/{name}\"")));
    let file = folder.join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let programs = environment().await.join("bin");
    // The generator runs the formatter that is installed beside it.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", programs.display());
    let output = Command::new(programs.join("openapi-python-client"))
        .env("PATH", path)
        .arg("generate")
        .args(["--meta", "none", "--fail-on-warning"])
        .arg("--path")
        .arg(&file)
        .arg("--output-path")
        .arg(folder.join("client"))
        .output();
    printed(output.await.unwrap());
}

/// What the client reads, by path.
async fn read(mount: &TestMount, folder: &Path) -> Map<String, Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/read.py");
    let output = Command::new(environment().await.join("bin/python"))
        .arg(script)
        .arg(folder)
        .args(READ.map(|path| mount.path(path)))
        .env("VAULT_ADDR", mount.server.address())
        .env("VAULT_TOKEN", mount.server.root_token())
        .output();
    serde_json::from_str(&printed(output.await.unwrap())).unwrap()
}

/// The generator's Python environment.
async fn environment() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/openapi-client");
    let output = Command::new(script).stdin(Stdio::null()).output();
    PathBuf::from(printed(output.await.unwrap()).trim())
}

/// What a program printed; it must have succeeded.
#[track_caller]
fn printed(output: std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}{errors}", output.status);
    text
}
