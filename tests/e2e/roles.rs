//! Roles: what is stored, shown, refused.

use serde_json::json;

use harness::READ_ONLY;

use crate::setup;

#[tokio::test]
async fn a_role_is_written_read_listed_patched_and_deleted() {
    let mount = setup::mount("roles").await;
    let writer = json!({ "astra_roles": ["API R/W \
        User", READ_ONLY], "ttl": "90m", "max_ttl": 36_000, "description": "nightly" });
    mount.write("roles/Writer.1", writer).await.ok();
    let shown = mount.read("roles/Writer.1").await.data();
    assert_eq!(shown["astra_roles"], json!(["API R/W User", READ_ONLY]));
    assert_eq!(
        (shown["ttl"].clone(), shown["max_ttl"].clone()),
        (json!(5400), json!(36_000))
    );
    assert_eq!(
        (shown["config"].clone(), shown["description"].clone()),
        (json!("default"), json!("nightly"))
    );

    mount.write("roles/Writer.1", shown.clone()).await.ok();
    assert_eq!(
        mount.read("roles/Writer.1").await.data(),
        shown,
        "writing back what was read changes nothing"
    );

    mount
        .api
        .patch(&mount.path("roles/Writer.1"), json!({ "ttl": "1h" }))
        .await
        .ok();
    let patched = mount.read("roles/Writer.1").await.data();
    assert_eq!(
        (patched["ttl"].clone(), patched["max_ttl"].clone()),
        (json!(3600), json!(36_000))
    );

    assert_eq!(
        mount.api.list(&mount.path("roles")).await.keys(),
        ["Writer.1", "reader"]
    );
    mount
        .cli
        .ok(&["delete", &mount.path("roles/Writer.1")])
        .await;
    assert_eq!(mount.read("roles/Writer.1").await.status, 404);
    mount.finish().await;
}

#[tokio::test]
async fn a_role_that_cannot_work_is_refused_and_not_stored() {
    let mount = setup::mount("refused-roles").await;
    let cases = [
        (json!({ "ttl": "1h" }), "astra_roles"),
        (json!({ "astra_roles": "API RO Usr" }), READ_ONLY),
        (
            json!({ "astra_roles": READ_ONLY, "ttl": "2h", "max_ttl": "1h" }),
            "max_ttl",
        ),
        (json!({ "astra_roles": READ_ONLY, "ttl": "-1h" }), "ttl"),
        (json!({ "astra_roles": READ_ONLY, "ttl": "later" }), "ttl"),
        (
            json!({ "astra_roles": READ_ONLY, "config": "none" }),
            "none",
        ),
        (
            json!({ "astra_roles": "Organization Administrator" }),
            "allow_token_admin",
        ),
    ];
    for (body, word) in cases {
        let text = mount.write("roles/bad", body).await.refused(400);
        assert!(text.contains(word), "{word:?} is not in {text:?}");
        assert_eq!(mount.read("roles/bad").await.status, 404);
    }
    mount.finish().await;
}

#[tokio::test]
async fn a_role_may_demand_a_reason_and_limit_its_tokens() {
    let mount = setup::mount("demanding").await;
    let role =
        json!({ "astra_roles": READ_ONLY, "ttl": "1h", "require_reason": true, "max_active": 2 });
    mount.write("roles/strict", role).await.ok();
    let refusal = mount.read("creds/strict").await.refused(400);
    assert!(refusal.contains("reason"), "{refusal}");

    let read = async || {
        mount
            .write("creds/strict", json!({ "reason": "OPS-1" }))
            .await
    };
    let first = mount.hold(&read().await.ok());
    mount.hold(&read().await.ok());
    let reply = read().await;
    assert!(
        !reply.is_ok() && reply.body.to_string().contains("max_active"),
        "{}",
        reply.body
    );
    assert_eq!(mount.astra.live().len(), 2);
    mount.revoke(&first.lease_id).await;
    mount.hold(&read().await.ok());
    mount.finish().await;
}

#[tokio::test]
async fn a_policy_becomes_an_astra_role_that_goes_with_the_vault_role() {
    let mount = setup::mount("policy").await;
    let custom = || mount.astra.emulator.roles(None).unwrap().len();
    let before = custom();
    let database = mount
        .astra
        .emulator
        .seeds()
        .databases
        .into_values()
        .next()
        .unwrap();
    let resource = format!("drn:astra:org:{{{{org_id}}}}:db:{}", database.id);
    let policy = json!({ "resources": [resource], "actions": ["db-rest"], "effect": "allow" });
    mount
        .write("roles/narrow", json!({ "policy": policy, "ttl": "1h" }))
        .await
        .ok();
    assert_eq!(custom(), before + 1);
    let credential = mount.credential("narrow").await;
    mount.revoke(&credential.lease_id).await;
    mount.api.delete(&mount.path("roles/narrow")).await.ok();
    assert_eq!(custom(), before);
    mount.finish().await;
}

#[tokio::test]
async fn astra_roles_that_are_gone_are_shown() {
    let mount = setup::mount("unresolved").await;
    let emulator = &mount.astra.emulator;
    let policy = emulator.roles(None).unwrap().into_iter();
    let policy = policy.map(|role| (role.name, role.policy));
    let (_, policy) = policy
        .into_iter()
        .find(|(name, _)| name == READ_ONLY)
        .unwrap();
    let mine = emulator.create_role(None, "Mine", policy).unwrap();
    let role = json!({ "astra_roles": ["Mine", READ_ONLY] });
    mount.write("roles/app", role).await.ok();
    emulator.delete_role(&mine.id).unwrap();
    let reply = mount.read("roles/app").await;
    let warning = format!(
        "astra_roles: \"Mine\" ({}) is no longer in the organization: write the role again with \
         astra_roles that exist",
        mine.id
    );
    assert_eq!(reply.warnings(), [warning]);
    assert_eq!(reply.data()["unresolved_astra_roles"], json!(["Mine"]));
    mount.finish().await;
}

#[tokio::test]
async fn a_role_with_a_database_tells_how_to_connect() {
    let mount = setup::mount("connected").await;
    let seeds = mount.astra.emulator.seeds();
    let database = seeds
        .databases
        .values()
        .find(|database| database.status == "ACTIVE")
        .unwrap();
    let role = json!({
        "astra_roles": READ_ONLY, "ttl": "1h", "database_id": database.id,
        "secure_connect_bundle": true,
    });
    mount.write("roles/connected", role).await.ok();
    let answer = mount.read("creds/connected").await.ok();
    mount.hold(&answer);
    let data = &answer["data"];
    assert_eq!(
        (data["database_id"].clone(), data["region"].clone()),
        (json!(database.id), json!(database.region))
    );
    assert_eq!(data["keyspace"], json!(database.keyspaces[0]));
    for key in ["api_endpoint", "secure_connect_bundle_url"] {
        assert!(
            data[key]
                .as_str()
                .is_some_and(|url| url.starts_with("http")),
            "{key} in {data}"
        );
    }
    let refusal = mount
        .write(
            "roles/elsewhere",
            json!({ "astra_roles": READ_ONLY, "database_id": "no-such" }),
        )
        .await;
    assert!(refusal.refused(400).contains("database_id"));
    mount.finish().await;
}
