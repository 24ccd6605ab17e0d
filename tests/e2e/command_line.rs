//! Every path as an operator types it.

use serde_json::Value;

use crate::scene::READ_ONLY;
use crate::scene::Scene;

/// `vault` with `words`, each of which may begin with the mount as `astra/`.
async fn vault(scene: &Scene, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| typed(scene, word)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    scene.cli.ok(&words).await
}

/// The answer of `vault` as JSON.
async fn json(scene: &Scene, command: &str, words: &[&str]) -> Value {
    let words: Vec<String> = words.iter().map(|word| typed(scene, word)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    scene.cli.json(&[command], &words).await
}

fn typed(scene: &Scene, word: &str) -> String {
    match word.strip_prefix("astra/") {
        Some(path) => scene.path(path),
        None => word.to_owned(),
    }
}

#[tokio::test]
async fn configs_and_what_the_organization_offers() {
    let scene = Scene::new("typed-configs").await;
    // The token from a file, as it should never be an argument; editors end files with a line break.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root-token.txt");
    std::fs::write(&file, scene.astra.root_token() + "\n").unwrap();
    let token = format!("token=@{}", file.display());
    let url = format!("url={}", scene.astra.url());
    let done = vault(
        &scene,
        &[
            "write",
            "astra/config/two",
            &token,
            &url,
            "request_timeout=20s",
        ],
    )
    .await;
    assert!(done.contains("Success!"), "{done}");
    vault(
        &scene,
        &["patch", "astra/config/two", "rotation_schedule=0 3 * * SAT"],
    )
    .await;
    let table = vault(&scene, &["read", "astra/config/two"]).await;
    for (name, value) in [
        ("request_timeout", "20"),
        ("rotation_schedule", "0 3 * * SAT"),
        ("url", &scene.astra.url()),
        ("token_client_id", &scene.astra.root_client_id()),
    ] {
        let is_shown = |line: &str| line.starts_with(name) && line.ends_with(value);
        assert!(
            table.lines().any(is_shown),
            "{name} {value} is not in\n{table}"
        );
    }
    assert!(!table.contains(&scene.astra.root_token()));
    let names = vault(&scene, &["list", "astra/config"]).await;
    assert!(
        names.contains("default") && names.contains("two"),
        "{names}"
    );

    let roles = vault(&scene, &["list", "astra/astra-roles/two"]).await;
    assert!(roles.contains(READ_ONLY), "{roles}");
    let path = format!("astra/astra-roles/two/{READ_ONLY}");
    let role = json(&scene, "read", &[&path]).await;
    assert_eq!(role["data"]["token_admin"], false);
    let databases = json(&scene, "list", &["astra/databases/two"]).await;
    assert_eq!(databases.as_array().unwrap().len(), 2, "{databases}");
    let status = json(&scene, "read", &["astra/status"]).await;
    assert_eq!(status["data"]["configs"]["two"]["reachable"], true);

    scene.expect_replaced_root();
    let rotated = json(&scene, "write", &["-force", "astra/rotate-root/two"]).await;
    let root = rotated["data"]["token_client_id"].as_str().unwrap();
    scene.keep(root, None);
    // Both configs had the same token, which is deleted now.
    let table = vault(&scene, &["read", "astra/config/two"]).await;
    assert!(table.contains(root), "{table}");
    let role = format!("astra_roles={READ_ONLY}");
    vault(&scene, &["write", "astra/roles/two", "config=two", &role]).await;
    let output = scene.cli.run(&["delete", &scene.path("config/two")]).await;
    let refusal = output.refused();
    assert!(
        refusal.contains("* config \"two\" is in use: roles two. "),
        "{refusal}"
    );
    let path = scene.path("config/two");
    let forced = scene.cli.run(&["delete", &path, "force=true"]).await;
    let printed = forced.stderr.clone() + &forced.ok();
    let warning = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        warning.contains("was deleted although it was in use: roles two."),
        "{printed}"
    );
    scene.forget(root);
    let output = scene.cli.run(&["read", &scene.path("config/two")]).await;
    assert!(output.refused().contains("No value found"));
    scene.finish().await;
}

#[tokio::test]
async fn roles_credentials_and_tokens() {
    let scene = Scene::new("typed-roles").await;
    let roles = format!("astra_roles={READ_ONLY}");
    let role = [
        "write",
        "astra/roles/app",
        &roles,
        "ttl=1h",
        "max_ttl=8h",
        "description=nightly",
    ];
    vault(&scene, &role).await;
    vault(&scene, &["patch", "astra/roles/app", "require_reason=true"]).await;
    let shown = json(&scene, "read", &["astra/roles/app"]).await;
    assert_eq!(shown["data"]["ttl"], 3_600);
    assert_eq!(shown["data"]["require_reason"], true);
    let names = json(&scene, "list", &["astra/roles"]).await;
    assert_eq!(names, serde_json::json!(["app", "reader"]));

    let answer = json(&scene, "read", &["astra/creds/app", "reason=OPS-1"]).await;
    let credential = scene.hold(&answer);
    let table = vault(&scene, &["list", "-detailed", "astra/tokens/default"]).await;
    let line = table
        .lines()
        .find(|line| line.contains(&credential.client_id));
    assert!(
        line.is_some_and(|line| line.contains("OPS-1") && line.contains("app")),
        "{table}"
    );
    let field = vault(
        &scene,
        &["read", "-field=token", "astra/creds/app", "reason=OPS-2"],
    )
    .await;
    assert!(scene.astra.accepts(field.trim()).await);
    vault(
        &scene,
        &["lease", "revoke", "-sync", "-prefix", "astra/creds/app"],
    )
    .await;
    assert!(!scene.astra.accepts(field.trim()).await);
    let output = scene
        .cli
        .run(&["list", &scene.path("tokens/default")])
        .await;
    assert!(output.refused().contains("No value found"));
    vault(&scene, &["delete", "astra/roles/app"]).await;
    scene.finish().await;
}

#[tokio::test]
async fn static_roles() {
    let scene = Scene::new("typed-static").await;
    let roles = format!("astra_roles={READ_ONLY}");
    vault(
        &scene,
        &[
            "write",
            "astra/static-roles/batch",
            &roles,
            "rotation_period=24h",
        ],
    )
    .await;
    vault(
        &scene,
        &["patch", "astra/static-roles/batch", "overlap=30m"],
    )
    .await;
    let shown = json(&scene, "read", &["astra/static-roles/batch"]).await;
    assert_eq!(shown["data"]["overlap"], 1_800);
    let names = json(&scene, "list", &["astra/static-roles"]).await;
    assert_eq!(names, serde_json::json!(["batch"]));
    let first = vault(
        &scene,
        &["read", "-field=token", "astra/static-creds/batch"],
    )
    .await;
    vault(&scene, &["write", "-force", "astra/rotate-role/batch"]).await;
    let second = vault(
        &scene,
        &["read", "-field=token", "astra/static-creds/batch"],
    )
    .await;
    assert_ne!(first, second);
    assert!(scene.astra.accepts(first.trim()).await && scene.astra.accepts(second.trim()).await);
    let tidied = json(&scene, "write", &["astra/tidy", "dry_run=true"]).await;
    assert_eq!(tidied["data"]["kept"], 2);
    vault(&scene, &["delete", "astra/static-roles/batch"]).await;
    assert!(!scene.astra.accepts(second.trim()).await);
    scene.finish().await;
}
