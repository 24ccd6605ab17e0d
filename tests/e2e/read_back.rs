//! What was read can be written back and changes nothing, also as Terraform writes it: with null or
//! nothing for what is not set.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use harness::READ_ONLY;
use harness::TestMount;

use crate::setup;

async fn shown(mount: &TestMount, path: &str) -> Map<String, Value> {
    let data = mount.read(path).await.data();
    data.as_object().expect("an object").clone()
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// Writes `object` at `path` and then, in several ways, what a read shows.
async fn stays(mount: &TestMount, path: &str, object: Value) {
    mount.write(path, object.clone()).await.ok();
    let first = shown(mount, path).await;
    let unset: Vec<&String> = first
        .iter()
        .filter(|(_, value)| is_unset(value))
        .map(|(name, _)| name)
        .collect();
    assert!(!unset.is_empty(), "{path}: everything is set");
    let changed = |change: &dyn Fn(&mut Map<String, Value>, &String)| {
        let mut body = first.clone();
        for name in &unset {
            change(&mut body, name);
        }
        Value::Object(body)
    };
    let ways = [
        ("as it was read", Value::Object(first.clone())),
        (
            "with null for what is not set",
            changed(&|body, name| drop(body.insert(name.clone(), Value::Null))),
        ),
        (
            "without what is not set",
            changed(&|body, name| drop(body.remove(name))),
        ),
        ("as it was written", object),
        ("empty", json!({})),
    ];
    for (way, body) in ways {
        let minted = mount.astra.minted();
        mount.write(path, body.clone()).await.ok();
        assert_eq!(
            shown(mount, path).await,
            first,
            "{path} written back {way}: {body}"
        );
        mount.api.patch(&mount.path(path), body.clone()).await.ok();
        assert_eq!(
            shown(mount, path).await,
            first,
            "{path} patched {way}: {body}"
        );
        assert_eq!(mount.astra.minted(), minted, "{path} {way} minted a token");
    }
}

#[tokio::test]
async fn configs() {
    let mount = setup::mount("read-back-configs").await;
    let (token, url) = (mount.astra.root_token(), mount.astra.url());
    stays(&mount, "config", json!({ "token": token, "url": url })).await;
    let full = json!({
        "token": token, "url": url, "org_id": mount.astra.org_id(), "request_timeout": "20s",
        "max_concurrent_requests": 7,
        "rotation_schedule": "0 3 * * SAT", "allow_token_admin": true,
    });
    // No two configs have one root token.
    mount.api.delete(&mount.path("roles/reader")).await.ok();
    mount.api.delete(&mount.path("config")).await.ok();
    stays(&mount, "config/full", full).await;
    mount.api.delete(&mount.path("config/full")).await.ok();
    let period = json!({
        "token": token, "url": url, "rotation_period": "7d", "disable_automated_rotation": true,
    });
    stays(&mount, "config/period", period).await;
    mount.finish().await;
}

#[tokio::test]
async fn roles() {
    let mount = setup::mount("read-back-roles").await;
    let database = mount.astra.emulator.seeds().databases["vector_db"]
        .id
        .clone();
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-rest", "db-cql"],
        "effect": "allow",
    });
    for (name, role) in [
        ("least", json!({ "astra_roles": READ_ONLY })),
        (
            "roles",
            json!({ "astra_roles": [READ_ONLY, "API R/W \
                User"], "ttl": "90m", "max_ttl": 36_000, "description": "nightly",
                    "require_reason": true, "max_active": 3 }),
        ),
        (
            "database",
            json!({ "astra_roles": READ_ONLY, "database_id": database, "region": "europe-west1", "keyspace": "app",
                    "secure_connect_bundle": true }),
        ),
        (
            "policy",
            json!({ "policy": policy, "database_id": database }),
        ),
        (
            "access",
            json!({ "access": "read-write", "database_id": database, "keyspace": "app" }),
        ),
        (
            "text",
            json!({ "policy": format!("{policy:#}\n"), "ttl": "1h" }),
        ),
    ] {
        stays(&mount, &format!("roles/{name}"), role).await;
    }
    mount.finish().await;
}

#[tokio::test]
async fn static_roles() {
    let mount = setup::mount("read-back-static").await;
    let database = mount.astra.emulator.seeds().databases["vector_db"]
        .id
        .clone();
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-rest"], "effect": "allow",
    });
    for (name, role) in [
        (
            "least",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" }),
        ),
        (
            "full",
            json!({ "astra_roles": READ_ONLY, "rotation_schedule": "0 3 * * \
                SAT", "overlap": "30m", "description": "batch",
                    "database_id": database, "keyspace": "app" }),
        ),
        (
            "policy",
            json!({ "policy": policy, "rotation_period": 3_600 }),
        ),
        (
            "access",
            json!({ "access": "admin", "database_id": database, "rotation_period": 3_600 }),
        ),
    ] {
        let path = format!("static-roles/{name}");
        stays(&mount, &path, role).await;
        mount.api.delete(&mount.path(&path)).await.ok();
    }
    mount.finish().await;
}
