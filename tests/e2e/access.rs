//! Who may do what, and what others get to see.

use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn a_policy_grants_one_role_and_no_other() {
    let scene = Scene::new("policies").await;
    scene.role("payments", "1h", "8h").await;
    let policy = format!(
        "path \"{}/creds/reader\" {{ capabilities = [\"read\", \"update\"] }}",
        scene.mount
    );
    scene
        .api
        .write("sys/policies/acl/one-role", json!({ "policy": policy }))
        .await
        .ok();
    let token = scene.api.child_token(&["one-role"]).await;
    let limited = scene.api.with_token(&token);

    scene.hold(&limited.read(&scene.path("creds/reader")).await.ok());
    scene.hold(
        &limited
            .write(&scene.path("creds/reader"), json!({ "reason": "x" }))
            .await
            .ok(),
    );
    for path in ["creds/payments", "config", "roles/reader", "roles/payments"] {
        assert_eq!(limited.read(&scene.path(path)).await.status, 403, "{path}");
    }
    assert_eq!(
        limited
            .write(&scene.path("config"), json!({ "token": "x" }))
            .await
            .status,
        403
    );

    let mut cli = scene.cli.clone();
    cli.token = token;
    let message = cli
        .run(&["read", &scene.path("creds/payments")])
        .await
        .refused();
    assert!(message.contains("permission denied"), "{message}");
    assert_eq!(scene.astra.live().len(), 2);
    scene.finish().await;
}

#[tokio::test]
async fn a_wrapped_credential_is_unwrapped_once() {
    let scene = Scene::new("wrapped").await;
    let wrapped = scene
        .api
        .with_wrap_ttl("60s")
        .read(&scene.path("creds/reader"))
        .await
        .ok();
    assert!(
        wrapped["data"].is_null(),
        "the answer itself holds no secret"
    );
    let wrapping = wrapped["wrap_info"]["token"].as_str().unwrap().to_owned();
    let answer = scene
        .api
        .with_token(&wrapping)
        .write("sys/wrapping/unwrap", json!({}))
        .await
        .ok();
    let credential = scene.hold(&answer);
    assert!(scene.astra.accepts(&credential.token).await);
    assert!(
        !scene
            .api
            .with_token(&wrapping)
            .write("sys/wrapping/unwrap", json!({}))
            .await
            .is_ok()
    );
    scene.revoke(&credential.lease_id).await;
    assert!(!scene.astra.accepts(&credential.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn the_audit_log_hashes_every_secret() {
    let scene = Scene::new("audited").await;
    let credential = scene.credential("reader").await;
    let audit = scene.server.audit_log();
    let line = audit
        .lines()
        .rfind(|line| {
            line.contains("\"type\":\"response\"") && line.contains(&scene.path("creds/reader"))
        })
        .expect("an audit line of the read");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for key in ["token", "client_id", "client_secret"] {
        let value = line["response"]["data"][key].as_str().unwrap();
        assert!(value.starts_with("hmac-sha256:"), "{key} is {value}");
    }
    assert!(!audit.contains(&credential.token) && !audit.contains(&scene.astra.root_token()));
    scene.finish().await;
}

/// The policy in `docs/security.md` that begins with a comment `# NAME`, for a mount at `mount`.
fn documented_policy(name: &str, mount: &str) -> String {
    let page = include_str!("../../docs/security.md");
    let blocks = page.split("```hcl\n").skip(1);
    let policy = blocks
        .filter_map(|block| block.split("```").next())
        .find(|block| block.starts_with(&format!("# {name}")))
        .unwrap_or_else(|| panic!("no policy of an {name}"));
    policy.replace("\"astra/", &format!("\"{mount}/"))
}

/// Paths below the mount, and the capabilities on each.
type Granted<'a> = &'a [(&'a str, &'a [&'a str])];

#[tokio::test]
async fn the_documented_policies_separate_their_holders() {
    let scene = Scene::new("separated").await;
    // What each may do, by path; whatever is not here is denied.
    let all = ["create", "read", "update", "patch", "delete"];
    let read = ["read"];
    let list = ["list"];
    let update = ["update"];
    let granted: [(&str, Granted); 4] = [
        ("application", &[("creds/reader", &read)]),
        (
            "operator",
            &[
                ("roles/x", &all),
                ("roles/", &list),
                ("static-roles/x", &all),
                ("static-roles/", &list),
                ("rotate-role/x", &update),
                ("astra-roles/default/x", &read),
                ("astra-roles/default/", &list),
                ("databases/default/", &list),
                ("status", &read),
            ],
        ),
        (
            "administrator",
            &[
                ("config", &all),
                ("config/x", &all),
                ("config/", &list),
                ("rotate-root", &update),
                ("rotate-root/x", &update),
                ("tidy", &update),
                ("tokens/default/", &list),
            ],
        ),
        (
            "auditor",
            &[
                ("config", &read),
                ("config/x", &read),
                ("config/", &list),
                ("roles/x", &read),
                ("roles/", &list),
                ("static-roles/x", &read),
                ("static-roles/", &list),
                ("tokens/default/", &list),
                ("status", &read),
            ],
        ),
    ];
    let paths = [
        "config",
        "config/",
        "config/x",
        "rotate-root",
        "rotate-root/x",
        "roles/",
        "roles/x",
        "creds/reader",
        "creds/x",
        "static-roles/",
        "static-roles/x",
        "static-creds/x",
        "rotate-role/x",
        "astra-roles/default/",
        "astra-roles/default/x",
        "databases/default/",
        "tokens/default/",
        "tidy",
        "status",
    ];
    for (name, expected) in granted {
        let policy = documented_policy(name, &scene.mount);
        scene
            .api
            .write(
                &format!("sys/policies/acl/documented-{name}"),
                json!({ "policy": policy }),
            )
            .await
            .ok();
        let token = scene
            .api
            .child_token(&[&format!("documented-{name}")])
            .await;
        for path in paths {
            let answer = scene
                .api
                .write(
                    "sys/capabilities",
                    json!({ "token": token, "paths": [scene.path(path)] }),
                )
                .await
                .data();
            let mut found: Vec<&str> = answer["capabilities"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(serde_json::Value::as_str)
                .filter(|one| *one != "deny")
                .collect();
            // A wildcard grants to list below a single object too, which is nothing.
            if !path.ends_with('/') {
                found.retain(|one| *one != "list");
            } else {
                found.retain(|one| *one == "list");
            }
            found.sort_unstable();
            let mut wanted: Vec<&str> = expected
                .iter()
                .filter(|(of, _)| *of == path)
                .flat_map(|(_, capabilities)| capabilities.iter().copied())
                .collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{name} at {path}");
        }
    }
    scene.finish().await;
}
