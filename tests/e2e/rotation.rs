//! Tokens that are replaced instead of leased: root tokens and those of static roles.

use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use crate::scene::READ_ONLY;
use crate::scene::Scene;
use crate::scene::TICK;

#[tokio::test]
async fn rotating_the_root_token_keeps_every_lease() {
    let scene = Scene::new("rotated-root").await;
    let before = scene.credential("reader").await;
    let old = scene.astra.root_token();

    scene.expect_replaced_root();
    let answer = scene.write("rotate-root", json!({})).await.data();
    let new = answer["token_client_id"].as_str().unwrap().to_owned();
    scene.keep(&new, None);
    assert_eq!(
        scene.read("config").await.data()["token_client_id"],
        json!(new)
    );
    assert!(
        !answer.to_string().contains("AstraCS"),
        "the new root token is never shown"
    );
    assert!(
        !scene.astra.accepts(&old).await,
        "the old root token is deleted"
    );
    assert!(scene.astra.accepts(&before.token).await);

    let refusal = scene
        .write("config", json!({ "token": old }))
        .await
        .refused(400);
    assert!(refusal.contains("rotation"), "{refusal}");

    scene.credential("reader").await;
    scene.revoke(&before.lease_id).await;
    assert!(!scene.astra.accepts(&before.token).await);

    // A rotated root token can be rotated in turn.
    let answer = scene
        .cli
        .json(&["write", "-force"], &[&scene.path("rotate-root/default")])
        .await;
    scene.keep(
        answer["data"]["token_client_id"].as_str().unwrap(),
        Some(&new),
    );
    scene.credential("reader").await;
    scene.finish().await;
}

#[tokio::test]
async fn a_static_role_is_read_rotated_and_deleted() {
    let scene = Scene::new("static").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h", "overlap": "1h" });
    scene.write("static-roles/app", role).await.ok();
    let first = static_token(&scene).await;
    scene.keep(&first.0, None);
    assert_eq!(static_token(&scene).await, first, "reading mints nothing");

    scene
        .cli
        .ok(&["write", "-force", &scene.path("rotate-role/app")])
        .await;
    let second = static_token(&scene).await;
    scene.keep(&second.0, None);
    assert_ne!(second.0, first.0);
    assert!(
        scene.astra.accepts(&first.1).await,
        "the previous token lives on for the overlap"
    );
    scene.settle(crate::scene::SOON).await;

    scene.api.delete(&scene.path("static-roles/app")).await.ok();
    for token in [first, second] {
        scene.forget(&token.0);
        assert!(!scene.astra.accepts(&token.1).await);
    }
    assert!(!scene.read("static-creds/app").await.is_ok());
    scene.finish().await;
}

#[tokio::test]
async fn schedules_are_kept_without_being_asked() {
    let scene = Scene::new("scheduled").await;
    let old = scene.astra.root_token();
    let lease = scene.credential("reader").await;
    let config = json!({ "rotation_schedule": "* * * * *" });
    scene.write("config", config).await.ok();
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "60s", "overlap": 30 });
    scene.write("static-roles/batch", role).await.ok();
    let batch = async || scene.read("static-creds/batch").await.data();
    let first = batch().await;
    scene.expect_replaced_root();

    // Each takes a minute to be due, and then a tick.
    wait_until("the root token is another", TICK * 2, async || {
        !scene.astra.accepts(&old).await
    })
    .await;
    scene
        .api
        .patch(
            &scene.path("config"),
            json!({ "disable_automated_rotation": true }),
        )
        .await
        .ok();
    let config = scene.read("config").await.data();
    assert_ne!(config["token_client_id"], scene.astra.root_client_id());
    assert_eq!(config["last_error"], "");
    assert_eq!(config["next_rotation"], "");
    scene.keep(config["token_client_id"].as_str().unwrap(), None);

    wait_until("the static role's token is another", TICK * 2, async || {
        batch().await["client_id"] != first["client_id"]
    })
    .await;
    let second = batch().await;
    assert!(scene.astra.accepts(second["token"].as_str().unwrap()).await);
    // As text, times in this form are in order.
    let time = |answer: &Value| answer["last_vault_rotation"].as_str().unwrap().to_owned();
    assert!(time(&second) > time(&first));

    scene
        .api
        .delete(&scene.path("static-roles/batch"))
        .await
        .ok();
    assert!(scene.astra.accepts(&lease.token).await);
    scene.revoke(&lease.lease_id).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_rotation_that_fails_keeps_the_token_and_tells_why() {
    let scene = Scene::new("failing").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_schedule": "0 3 * * SAT" });
    scene.write("static-roles/batch", role).await.ok();
    let first = scene.read("static-creds/batch").await.data();
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
    scene.keep(first["client_id"].as_str().unwrap(), None);
    let shown = scene.read("static-roles/batch").await.data();
    let saturday = shown["next_rotation"].clone();
    assert!(
        saturday.as_str().unwrap().ends_with("T03:00:00Z"),
        "{shown}"
    );

    scene.astra.close(true);
    let reply = scene.write("rotate-role/batch", json!({})).await;
    let refusal = reply.refused(502);
    let cause = "config \"default\": cannot mint a token: ";
    assert!(refusal.contains(cause), "{refusal}");
    let shown = scene.read("static-roles/batch").await.data();
    assert!(
        shown["last_error"].as_str().unwrap().starts_with(cause),
        "{shown}"
    );
    let mut still = scene.read("static-creds/batch").await.data();
    assert!((1..=7 * 86_400).contains(&still["ttl"].as_u64().unwrap()));
    still["ttl"] = first["ttl"].clone();
    assert_eq!(still, first, "nothing else changes while rotation fails");
    let refusal = scene.write("rotate-root", json!({})).await.refused(502);
    assert!(
        refusal.contains(". The root token was not changed"),
        "{refusal}"
    );
    assert_ne!(scene.read("config").await.data()["last_error"], "");
    scene.astra.close(false);

    scene.write("rotate-role/batch", json!({})).await.ok();
    let shown = scene.read("static-roles/batch").await.data();
    assert_eq!(
        (&shown["last_error"], &shown["next_rotation"]),
        (&json!(""), &saturday)
    );
    let client_id = first["client_id"].as_str().unwrap();
    scene
        .api
        .delete(&scene.path("static-roles/batch"))
        .await
        .ok();
    scene.forget(client_id);
    scene.finish().await;
}

/// Client id and token of the static role `app`, after checks of what clients rely on.
async fn static_token(scene: &Scene) -> (String, String) {
    let answer = scene.read("static-creds/app").await.ok();
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
    assert!(scene.astra.accepts(&token).await);
    (text(&data["client_id"]), token)
}
