//! Bad input, by raw HTTP and by the command line: one clear 400 with exactly this text, and nothing
//! has changed, neither in Vault nor in Astra.

use serde_json::Value;
use serde_json::json;

use crate::scene::READ_ONLY;
use crate::scene::Scene;

const POLICY: &str = "an Astra policy has the lists resources and actions, the text effect, which is \"allow\", and optionally the \
                      text description";

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

#[tokio::test]
async fn configs() {
    let scene = Scene::new("refusals-configs").await;
    let root = scene.astra.root_token();
    let url = scene.astra.url();
    let with = |more: Value| {
        let mut body = json!({ "token": root, "url": url });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let other_org = &scene.astra.emulator.seeds().organizations[1].id;
    let own_org = scene.astra.org_id();
    let cases = [
        (
            json!({ "url": url }),
            "token is missing: give the root token, an Astra application token with the rights org-token-write and org-token-read".to_owned(),
        ),
        (
            with(json!({ "token": "hello" })),
            "token: an application token begins with \"AstraCS:\"; a client id, a client secret or a JSON document is not one".to_owned(),
        ),
        (
            with(json!({ "url": "http://api.astra.example.com" })),
            "url: the URL \"http://api.astra.example.com\" must begin with \"https://\": the root token would travel in clear; plain \
             \"http://\" is accepted only for a loopback address"
                .to_owned(),
        ),
        (
            with(json!({ "url": format!("{url}/v2") })),
            format!(
                "url: the URL \"{url}/v2\" must not end in \"/v2\": give the address of the API without its version, for instance \
                 https://api.astra.datastax.com"
            ),
        ),
        (
            with(json!({ "org_id": other_org })),
            format!(
                "org_id: the token belongs to organization {own_org}, not to {other_org}: leave org_id out or give the token's own"
            ),
        ),
        (
            with(json!({ "request_timeout": "2m" })),
            "request_timeout: 120 is out of range: give a number from 1 to 60".to_owned(),
        ),
        (
            with(json!({ "rotation_period": "30s" })),
            "rotation_period: 30s is out of range: give 60s or more, up to 100 years".to_owned(),
        ),
        (
            with(json!({ "rotation_period": "1h", "rotation_schedule": "0 3 * * *" })),
            "rotation_period: 3600 was given together with rotation_schedule: give one of the two".to_owned(),
        ),
        (
            with(json!({ "verify": "perhaps" })),
            "Field validation failed: error converting input for field \"verify\": \"perhaps\" is not true or false".to_owned(),
        ),
    ];
    for (body, text) in cases {
        refused(&scene, "config/bad", body, &text).await;
    }
    let refusal = scene.api.delete(&scene.path("config")).await.refused(400);
    assert_eq!(
        refusal,
        "config \"default\" is in use: roles reader. Delete those roles and revoke those leases first, or delete with force=true"
    );
    scene.finish().await;
}

#[tokio::test]
async fn roles() {
    let scene = Scene::new("refusals-roles").await;
    let seeds = scene.astra.emulator.seeds();
    let second =
        json!({ "token": seeds.tokens["second_org_admin"].token, "url": scene.astra.url() });
    scene.write("config/second", second).await.ok();
    let database = &seeds.databases["vector_db"].id;
    let org = scene.astra.org_id();
    let cases = [
        (
            json!({ "astra_roles": READ_ONLY, "ttl": "2h", "max_ttl": "1h" }),
            "ttl: 7200s is longer than max_ttl, 3600s: shorten ttl or lengthen max_ttl".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "config": "second", "database_id": database }),
            format!(
                "database_id: the organization of config \"second\" has no database \"{database}\"; it has no database that the root \
                 token can see: give the id of a database of this organization, or use the config of the other one (list \
                 databases/second shows all)"
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "database_id": database, "keyspace": "nope" }),
            format!(
                "keyspace: database \"vector_db\" ({database}) has no keyspace \"nope\": it has \"app\", \"default_keyspace\""
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "region": "us-east1" }),
            "region needs database_id: give the id of the database, or leave region out".to_owned(),
        ),
        (
            json!({ "policy": "allow everything" }),
            format!("policy: the text is not JSON (expected value at line 1 column 1): {POLICY}"),
        ),
        (json!({ "policy": "[1]" }), format!("policy: it is a list, not a JSON object: {POLICY}")),
        (
            json!({ "policy": json!({ "resources": ["drn:astra:org:x"], "actions": ["db-cql"], "effect": "deny" }).to_string() }),
            "policy: effect is \"deny\", and Astra knows only \"allow\": write \"allow\", and leave out what is not to be allowed".to_owned(),
        ),
        (
            json!({ "policy": json!({ "resources": [format!("drn:astra:org:{org}")], "actions": ["org-token-write"], "effect": "allow" }).to_string() }),
            "policy: its actions allow creating tokens or roles, so its tokens could outlive their lease by making others: leave out \
             org-token-write, org-role-write and patterns that cover them, or set allow_token_admin=true on the config"
                .to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "policy": "{\"effect\":\"allow\"}" }),
            "astra_roles and policy are both given: give the names or ids of Astra roles, or a policy for a role of its own, not both".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "max_active": -1 }),
            "max_active: -1 is out of range: give a number from 1 to 1000000, or 0 for no limit".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "config": "none" }),
            "config \"none\" does not exist: write it first, with token=… at config/none".to_owned(),
        ),
        (
            json!({ "ttl": "1h" }),
            "astra_roles is missing: give one or more names or ids of Astra roles, or a policy instead".to_owned(),
        ),
    ];
    for (body, text) in cases {
        refused(&scene, "roles/bad", body, &text).await;
    }
    // Also of a role that exists, which keeps what it had.
    let refusal = scene
        .api
        .patch(&scene.path("roles/reader"), json!({ "ttl": "9h" }))
        .await
        .refused(400);
    assert_eq!(
        refusal,
        "ttl: 32400s is longer than max_ttl, 28800s: shorten ttl or lengthen max_ttl"
    );
    assert_eq!(scene.read("roles/reader").await.data()["ttl"], 3600);
    scene.finish().await;
}

#[tokio::test]
async fn credentials() {
    let scene = Scene::new("refusals-creds").await;
    let strict = json!({ "astra_roles": READ_ONLY, "require_reason": true });
    scene.write("roles/strict", strict).await.ok();
    let mount = &scene.mount;
    let cases = [
        (
            "creds/none",
            json!({}),
            "role \"none\" does not exist: write it first, at roles/none".to_owned(),
        ),
        (
            "creds/strict",
            json!({ "ttl": "5m" }),
            format!(
                "role \"strict\" needs a reason: say why the credential is wanted, for instance vault read {mount}/creds/strict \
                 reason=OPS-1234"
            ),
        ),
        (
            "creds/reader",
            json!({ "ttl": "soon" }),
            "Field validation failed: error converting input for field \"ttl\": \"soon\" is not a duration, in seconds or as text such \
             as 90s, 1h30m or 7d: a number is missing; write for instance 90s, 30m, 1h30m or 7d"
                .to_owned(),
        ),
    ];
    for (path, body, text) in cases {
        let before = state(&scene).await;
        let reply = scene.write(path, body.clone()).await;
        assert_eq!(reply.refused(400), text, "{path} {body}");
        assert_eq!(state(&scene).await, before);
    }
    let output = scene
        .cli
        .run(&["read", &scene.path("creds/strict")])
        .await
        .refused();
    assert!(
        output.contains("* role \"strict\" needs a reason"),
        "{output}"
    );
    scene.finish().await;
}

#[tokio::test]
async fn static_roles_and_the_rest() {
    let scene = Scene::new("refusals-rest").await;
    let none = "does not exist: write it first, at static-roles/none";
    let cases = [
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY }),
            "rotation_period or rotation_schedule is missing: give one of the two, for instance rotation_period=24h".to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_schedule": "at noon" }),
            "rotation_schedule: \"at noon\" is not a schedule: it has 2 fields; give a cron expression of five fields in UTC (minute, \
             hour, day of month, month, day of week), for instance \"0 3 * * SAT\""
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "1h", "overlap": "2h" }),
            "overlap: 7200s is not less than the time between two rotations, 3600s: shorten overlap or rotate less often".to_owned(),
        ),
        ("rotate-role/none", json!({ "x": "y" }), format!("static role \"none\" {none}")),
        (
            "rotate-root/none",
            json!({ "x": "y" }),
            "config \"none\" does not exist: write it first, with token=… at config/none".to_owned(),
        ),
        (
            "tidy",
            json!({ "config": "none" }),
            "config \"none\" does not exist: write it first, with token=… at config/none".to_owned(),
        ),
    ];
    for (path, body, text) in cases {
        refused(&scene, path, body, &text).await;
    }
    assert_eq!(
        scene.read("static-creds/none").await.refused(400),
        format!("static role \"none\" {none}")
    );
    for path in ["astra-roles/none", "databases/none", "tokens/none"] {
        assert_eq!(
            scene.api.list(&scene.path(path)).await.refused(400),
            "config \"none\" does not exist: write it first, with token=… at config/none"
        );
    }
    let patched = scene
        .api
        .patch(&scene.path("static-roles/none"), json!({ "overlap": 60 }))
        .await;
    // Vault wraps what is not a 400 in words of its own.
    assert_eq!(
        patched.refused(404).trim(),
        "1 error occurred:\n\t* static role \"none\" does not exist: write it before patching it"
    );
    assert_eq!(scene.read("no/such/path").await.status, 404);
    assert_eq!(scene.api.delete(&scene.path("status")).await.status, 405);
    scene.finish().await;
}
