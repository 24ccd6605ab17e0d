//! Every path as an operator types it.

use serde_json::Value;

use astra_emulator::PortalToken;
use harness::READ_ONLY;
use harness::TestMount;

use crate::setup;

/// `vault` with `words`, each of which may begin with the mount as `astra/`.
async fn vault(mount: &TestMount, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| typed(mount, word)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    mount.cli.ok(&words).await
}

/// The answer of `vault` as JSON.
async fn json(mount: &TestMount, command: &str, words: &[&str]) -> Value {
    let words: Vec<String> = words.iter().map(|word| typed(mount, word)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    mount.cli.json(&[command], &words).await
}

fn typed(mount: &TestMount, word: &str) -> String {
    match word.strip_prefix("astra/") {
        Some(path) => mount.path(path),
        None => word.to_owned(),
    }
}

/// Patches one field by the command line, or by the API where the command line is too old to patch.
async fn patch(mount: &TestMount, path: &str, field: &str, value: &str) {
    if mount.server.host.has_patch_command() {
        let argument = format!("{field}={value}");
        vault(mount, &["patch", &format!("astra/{path}"), &argument]).await;
    } else {
        let mut body = serde_json::json!({});
        body[field] = value.into();
        mount.api.patch(&mount.path(path), body).await.ok();
    }
}

#[tokio::test]
async fn configs_and_what_the_organization_offers() {
    let mount = setup::mount("typed-configs").await;
    // The token from a file, as it should never be an argument; editors end files with a line break.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root-token.txt");
    // No two configs have one root token.
    let own = PortalToken {
        roles: vec!["Organization Administrator".to_owned()],
        ..PortalToken::default()
    };
    let own = mount.astra.emulator.create_token(own).unwrap();
    std::fs::write(&file, own.token.clone() + "\n").unwrap();
    let token = format!("token=@{}", file.display());
    let url = format!("url={}", mount.astra.url());
    let done = vault(
        &mount,
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
    patch(&mount, "config/two", "rotation_schedule", "0 3 * * SAT").await;
    let table = vault(&mount, &["read", "astra/config/two"]).await;
    for (name, value) in [
        ("request_timeout", "20"),
        ("rotation_schedule", "0 3 * * SAT"),
        ("url", &mount.astra.url()),
        ("token_client_id", &own.client_id),
    ] {
        let is_shown = |line: &str| line.starts_with(name) && line.ends_with(value);
        assert!(
            table.lines().any(is_shown),
            "{name} {value} is not in\n{table}"
        );
    }
    assert!(!table.contains(&own.token));
    let names = vault(&mount, &["list", "astra/config"]).await;
    assert!(
        names.contains("default") && names.contains("two"),
        "{names}"
    );

    let roles = vault(&mount, &["list", "astra/astra-roles/two"]).await;
    assert!(roles.contains(READ_ONLY), "{roles}");
    let path = format!("astra/astra-roles/two/{READ_ONLY}");
    let role = json(&mount, "read", &[&path]).await;
    assert_eq!(role["data"]["token_admin"], false);
    let databases = json(&mount, "list", &["astra/databases/two"]).await;
    assert_eq!(databases.as_array().unwrap().len(), 2, "{databases}");
    let status = json(&mount, "read", &["astra/status"]).await;
    assert_eq!(status["data"]["configs"]["two"]["reachable"], true);

    mount.expect_replaced_root();
    let rotated = json(&mount, "write", &["-force", "astra/rotate-root/two"]).await;
    let root = rotated["data"]["token_client_id"].as_str().unwrap();
    mount.keep(root, None);
    let table = vault(&mount, &["read", "astra/config/two"]).await;
    assert!(table.contains(root), "{table}");
    let role = format!("astra_roles={READ_ONLY}");
    vault(&mount, &["write", "astra/roles/two", "config=two", &role]).await;
    let output = mount.cli.run(&["delete", &mount.path("config/two")]).await;
    let refusal = output.refused();
    assert!(
        refusal.contains("* config \"two\" is in use: roles two. "),
        "{refusal}"
    );
    let path = mount.path("config/two");
    let forced = mount.cli.run(&["delete", &path, "force=true"]).await;
    let printed = forced.stderr.clone() + &forced.ok();
    let warning = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        warning.contains("was deleted although it was in use: roles two."),
        "{printed}"
    );
    mount.forget(root);
    let output = mount.cli.run(&["read", &mount.path("config/two")]).await;
    assert!(output.refused().contains("No value found"));
    mount.finish().await;
}

#[tokio::test]
async fn roles_credentials_and_tokens() {
    let mount = setup::mount("typed-roles").await;
    let roles = format!("astra_roles={READ_ONLY}");
    let role = [
        "write",
        "astra/roles/app",
        &roles,
        "ttl=1h",
        "max_ttl=8h",
        "description=nightly",
    ];
    vault(&mount, &role).await;
    patch(&mount, "roles/app", "require_reason", "true").await;
    let shown = json(&mount, "read", &["astra/roles/app"]).await;
    assert_eq!(shown["data"]["ttl"], 3_600);
    assert_eq!(shown["data"]["require_reason"], true);
    let names = json(&mount, "list", &["astra/roles"]).await;
    assert_eq!(names, serde_json::json!(["app", "reader"]));

    let answer = json(&mount, "read", &["astra/creds/app", "reason=OPS-1"]).await;
    let credential = mount.hold(&answer);
    let table = vault(&mount, &["list", "-detailed", "astra/tokens/default"]).await;
    let line = table
        .lines()
        .find(|line| line.contains(&credential.client_id));
    assert!(
        line.is_some_and(|line| line.contains("OPS-1") && line.contains("app")),
        "{table}"
    );
    let field = vault(
        &mount,
        &["read", "-field=token", "astra/creds/app", "reason=OPS-2"],
    )
    .await;
    assert!(mount.astra.accepts(field.trim()).await);
    vault(
        &mount,
        &["lease", "revoke", "-sync", "-prefix", "astra/creds/app"],
    )
    .await;
    assert!(!mount.astra.accepts(field.trim()).await);
    let output = mount
        .cli
        .run(&["list", &mount.path("tokens/default")])
        .await;
    assert!(output.refused().contains("No value found"));
    vault(&mount, &["delete", "astra/roles/app"]).await;
    mount.finish().await;
}

#[tokio::test]
async fn static_roles() {
    let mount = setup::mount("typed-static").await;
    let roles = format!("astra_roles={READ_ONLY}");
    vault(
        &mount,
        &[
            "write",
            "astra/static-roles/batch",
            &roles,
            "rotation_period=24h",
        ],
    )
    .await;
    patch(&mount, "static-roles/batch", "overlap", "30m").await;
    let shown = json(&mount, "read", &["astra/static-roles/batch"]).await;
    assert_eq!(shown["data"]["overlap"], 1_800);
    let names = json(&mount, "list", &["astra/static-roles"]).await;
    assert_eq!(names, serde_json::json!(["batch"]));
    let first = vault(
        &mount,
        &["read", "-field=token", "astra/static-creds/batch"],
    )
    .await;
    vault(&mount, &["write", "-force", "astra/rotate-role/batch"]).await;
    let second = vault(
        &mount,
        &["read", "-field=token", "astra/static-creds/batch"],
    )
    .await;
    assert_ne!(first, second);
    assert!(mount.astra.accepts(first.trim()).await && mount.astra.accepts(second.trim()).await);
    let tidied = json(&mount, "write", &["astra/tidy", "dry_run=true"]).await;
    assert_eq!(tidied["data"]["kept"], 2);
    vault(&mount, &["delete", "astra/static-roles/batch"]).await;
    assert!(!mount.astra.accepts(second.trim()).await);
    mount.finish().await;
}
