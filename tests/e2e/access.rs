//! Who may do what, and what others get to see.

use serde_json::json;

use crate::setup;

#[tokio::test]
async fn a_policy_grants_one_role_and_no_other() {
    let mount = setup::mount("policies").await;
    mount.role("payments", "1h", "8h").await;
    let policy = format!(
        "path \"{}/creds/reader\" {{ capabilities = [\"read\", \"update\"] }}",
        mount.name
    );
    mount
        .api
        .write("sys/policies/acl/one-role", json!({ "policy": policy }))
        .await
        .ok();
    let token = mount.api.child_token(&["one-role"]).await;
    let limited = mount.api.with_token(&token);

    mount.hold(&limited.read(&mount.path("creds/reader")).await.ok());
    mount.hold(
        &limited
            .write(&mount.path("creds/reader"), json!({ "reason": "x" }))
            .await
            .ok(),
    );
    for path in ["creds/payments", "config", "roles/reader", "roles/payments"] {
        assert_eq!(limited.read(&mount.path(path)).await.status, 403, "{path}");
    }
    assert_eq!(
        limited
            .write(&mount.path("config"), json!({ "token": "x" }))
            .await
            .status,
        403
    );

    let mut cli = mount.cli.clone();
    cli.token = token;
    let message = cli
        .run(&["read", &mount.path("creds/payments")])
        .await
        .refused();
    assert!(message.contains("permission denied"), "{message}");
    assert_eq!(mount.astra.live().len(), 2);
    mount.finish().await;
}

#[tokio::test]
async fn a_wrapped_credential_is_unwrapped_once() {
    let mount = setup::mount("wrapped").await;
    let wrapped = mount
        .api
        .with_wrap_ttl("60s")
        .read(&mount.path("creds/reader"))
        .await
        .ok();
    assert!(
        wrapped["data"].is_null(),
        "the answer itself holds no secret"
    );
    let wrapping = wrapped["wrap_info"]["token"].as_str().unwrap().to_owned();
    let answer = mount
        .api
        .with_token(&wrapping)
        .write("sys/wrapping/unwrap", json!({}))
        .await
        .ok();
    let credential = mount.hold(&answer);
    assert!(mount.astra.accepts(&credential.token).await);
    assert!(
        !mount
            .api
            .with_token(&wrapping)
            .write("sys/wrapping/unwrap", json!({}))
            .await
            .is_ok()
    );
    mount.revoke(&credential.lease_id).await;
    assert!(!mount.astra.accepts(&credential.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn the_audit_log_hashes_every_secret() {
    let mount = setup::mount("audited").await;
    let credential = mount.credential("reader").await;
    let audit = mount.server.audit_log();
    let line = audit
        .lines()
        .rfind(|line| {
            line.contains("\"type\":\"response\"") && line.contains(&mount.path("creds/reader"))
        })
        .expect("an audit line of the read");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for key in ["token", "client_id", "client_secret"] {
        let value = line["response"]["data"][key].as_str().unwrap();
        assert!(value.starts_with("hmac-sha256:"), "{key} is {value}");
    }
    assert!(!audit.contains(&credential.token) && !audit.contains(&mount.astra.root_token()));
    mount.finish().await;
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
    let mount = setup::mount("separated").await;
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
                ("databases/default/x", &read),
                ("databases/default/", &list),
                ("status", &read),
                ("status/", &list),
                ("status/x", &read),
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
                ("status/", &list),
                ("status/x", &read),
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
        "databases/default/x",
        "tokens/default/",
        "tidy",
        "status",
        "status/",
        "status/x",
    ];
    for (name, expected) in granted {
        let policy = documented_policy(name, &mount.name);
        mount
            .api
            .write(
                &format!("sys/policies/acl/documented-{name}"),
                json!({ "policy": policy }),
            )
            .await
            .ok();
        let token = mount
            .api
            .child_token(&[&format!("documented-{name}")])
            .await;
        for path in paths {
            let answer = mount
                .api
                .write(
                    "sys/capabilities",
                    json!({ "token": token, "paths": [mount.path(path)] }),
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
    mount.finish().await;
}
