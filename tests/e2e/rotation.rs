//! Tokens that are replaced instead of leased: root tokens and those of static roles.

use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use harness::READ_ONLY;
use harness::TICK;
use harness::TestMount;

use crate::setup;

#[tokio::test]
async fn rotating_the_root_token_keeps_every_lease() {
    let mount = setup::mount("rotated-root").await;
    let before = mount.credential("reader").await;
    let old = mount.astra.root_token();

    mount.expect_replaced_root();
    let answer = mount.write("rotate-root", json!({})).await.data();
    let new = answer["token_client_id"].as_str().unwrap().to_owned();
    mount.keep(&new, None);
    assert_eq!(
        mount.read("config").await.data()["token_client_id"],
        json!(new)
    );
    assert!(
        !answer.to_string().contains("AstraCS"),
        "the new root token is never shown"
    );
    assert!(
        !mount.astra.accepts(&old).await,
        "the old root token is deleted"
    );
    assert!(mount.astra.accepts(&before.token).await);

    let refusal = mount
        .write("config", json!({ "token": old }))
        .await
        .refused(400);
    assert!(refusal.contains("rotation"), "{refusal}");

    mount.credential("reader").await;
    mount.revoke(&before.lease_id).await;
    assert!(!mount.astra.accepts(&before.token).await);

    // A rotated root token can be rotated in turn.
    let answer = mount
        .cli
        .json(&["write", "-force"], &[&mount.path("rotate-root/default")])
        .await;
    mount.keep(
        answer["data"]["token_client_id"].as_str().unwrap(),
        Some(&new),
    );
    mount.credential("reader").await;
    mount.finish().await;
}

#[tokio::test]
async fn a_static_role_is_read_rotated_and_deleted() {
    let mount = setup::mount("static").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h", "overlap": "1h" });
    mount.write("static-roles/app", role).await.ok();
    let first = static_token(&mount).await;
    mount.keep(&first.0, None);
    assert_eq!(static_token(&mount).await, first, "reading mints nothing");

    mount
        .cli
        .ok(&["write", "-force", &mount.path("rotate-role/app")])
        .await;
    let second = static_token(&mount).await;
    mount.keep(&second.0, None);
    assert_ne!(second.0, first.0);
    assert!(
        mount.astra.accepts(&first.1).await,
        "the previous token lives on for the overlap"
    );
    mount.until_reconciled(harness::SOON).await;

    mount.api.delete(&mount.path("static-roles/app")).await.ok();
    for token in [first, second] {
        mount.forget(&token.0);
        assert!(!mount.astra.accepts(&token.1).await);
    }
    assert!(!mount.read("static-creds/app").await.is_ok());
    mount.finish().await;
}

#[tokio::test]
async fn schedules_are_kept_without_being_asked() {
    let mount = setup::mount("scheduled").await;
    let old = mount.astra.root_token();
    let lease = mount.credential("reader").await;
    let config = json!({ "rotation_schedule": "* * * * *" });
    mount.write("config", config).await.ok();
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "60s", "overlap": 30 });
    mount.write("static-roles/batch", role).await.ok();
    let batch = async || mount.read("static-creds/batch").await.data();
    let first = batch().await;
    mount.expect_replaced_root();

    // Each takes a minute to be due, and then a tick.
    wait_until("the root token is another", TICK * 2, async || {
        !mount.astra.accepts(&old).await
    })
    .await;
    mount
        .api
        .patch(
            &mount.path("config"),
            json!({ "disable_automated_rotation": true }),
        )
        .await
        .ok();
    let config = mount.read("config").await.data();
    assert_ne!(config["token_client_id"], mount.astra.root_client_id());
    assert_eq!(config["rotation_error"], "");
    assert_eq!(config["next_rotation"], "");
    mount.keep(config["token_client_id"].as_str().unwrap(), None);

    wait_until("the static role's token is another", TICK * 2, async || {
        batch().await["client_id"] != first["client_id"]
    })
    .await;
    let second = batch().await;
    assert!(mount.astra.accepts(second["token"].as_str().unwrap()).await);
    // As text, times in this form are in order.
    let time = |answer: &Value| answer["last_vault_rotation"].as_str().unwrap().to_owned();
    assert!(time(&second) > time(&first));

    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    assert!(mount.astra.accepts(&lease.token).await);
    mount.revoke(&lease.lease_id).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_rotation_that_fails_keeps_the_token_and_tells_why() {
    let mount = setup::mount("failing").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_schedule": "0 3 * * SAT" });
    mount.write("static-roles/batch", role).await.ok();
    let first = mount.read("static-creds/batch").await.data();
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    // With a schedule a client waits for its times, not for a period.
    assert_eq!(
        keys,
        [
            "client_id",
            "client_secret",
            "expires_at",
            "last_vault_rotation",
            "org_id",
            "rotation_schedule",
            "token",
            "ttl"
        ]
    );
    assert_eq!(first["rotation_schedule"], "0 3 * * SAT");
    mount.keep(first["client_id"].as_str().unwrap(), None);
    let shown = mount.read("static-roles/batch").await.data();
    let saturday = shown["next_rotation"].clone();
    assert!(
        saturday.as_str().unwrap().ends_with("T03:00:00Z"),
        "{shown}"
    );

    mount.astra.close(true);
    let reply = mount.write("rotate-role/batch", json!({})).await;
    let refusal = reply.refused(502);
    let cause = "config \"default\": cannot mint a token: ";
    assert!(refusal.contains(cause), "{refusal}");
    let shown = mount.read("static-roles/batch").await.data();
    assert!(
        shown["rotation_error"].as_str().unwrap().starts_with(cause),
        "{shown}"
    );
    let mut still = mount.read("static-creds/batch").await.data();
    assert!((1..=7 * 86_400).contains(&still["ttl"].as_u64().unwrap()));
    still["ttl"] = first["ttl"].clone();
    assert_eq!(still, first, "nothing else changes while rotation fails");
    let refusal = mount.write("rotate-root", json!({})).await.refused(502);
    assert!(
        refusal.contains(". The root token was not changed"),
        "{refusal}"
    );
    assert_ne!(mount.read("config").await.data()["rotation_error"], "");
    mount.astra.close(false);

    mount.write("rotate-role/batch", json!({})).await.ok();
    let shown = mount.read("static-roles/batch").await.data();
    assert_eq!(
        (&shown["rotation_error"], &shown["next_rotation"]),
        (&json!(""), &saturday)
    );
    let client_id = first["client_id"].as_str().unwrap();
    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    mount.forget(client_id);
    mount.finish().await;
}

/// Client id and token of the static role `app`, after checks of what clients rely on.
async fn static_token(mount: &TestMount) -> (String, String) {
    let answer = mount.read("static-creds/app").await.ok();
    assert_eq!(answer["lease_id"], "");
    let data = &answer["data"];
    assert!(
        (1..=86_400).contains(&data["ttl"].as_u64().unwrap()) && data["rotation_period"] == 86_400,
        "{answer}"
    );
    let rotated = data["last_vault_rotation"].as_str().unwrap();
    assert!(
        rotated.len() == 20 && rotated.ends_with('Z'),
        "whole seconds: {rotated}"
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let token = text(&data["token"]);
    assert!(mount.astra.accepts(&token).await);
    (text(&data["client_id"]), token)
}
