//! Leases: extended, ended, expired.

use serde_json::json;

use crate::scene::SOON;
use crate::scene::Scene;

#[tokio::test]
async fn renewing_keeps_the_token_and_extends_the_lease() {
    let scene = Scene::new("renewed").await;
    let credential = scene.credential("reader").await;
    let renewed = scene
        .api
        .write(
            "sys/leases/renew",
            json!({ "lease_id": credential.lease_id }),
        )
        .await
        .ok();
    assert_eq!(
        (
            renewed["lease_duration"].clone(),
            renewed["renewable"].clone()
        ),
        (json!(3600), json!(true))
    );
    let longer = json!({ "lease_id": credential.lease_id, "increment": "7200" });
    assert_eq!(
        scene.api.write("sys/leases/renew", longer).await.ok()["lease_duration"],
        7200
    );
    assert!(scene.astra.accepts(&credential.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn revoking_deletes_the_token() {
    let scene = Scene::new("revoked").await;
    let credential = scene.credential("reader").await;
    let other = scene.credential("reader").await;
    scene.revoke(&credential.lease_id).await;
    assert!(!scene.astra.accepts(&credential.token).await);
    assert!(scene.astra.accepts(&other.token).await);
    // A second time is not an error to Vault, and nothing is left to do.
    scene
        .api
        .write(
            "sys/leases/revoke",
            json!({ "lease_id": credential.lease_id }),
        )
        .await
        .ok();
    scene.finish().await;
}

#[tokio::test]
async fn revoking_by_prefix_ends_one_role_and_spares_the_other() {
    let scene = Scene::new("prefix").await;
    scene.role("batch", "1h", "8h").await;
    let mut batch = Vec::new();
    for _ in 0..5 {
        batch.push(scene.credential("batch").await);
    }
    let kept = scene.credential("reader").await;
    scene
        .cli
        .ok(&[
            "lease",
            "revoke",
            "-sync",
            "-prefix",
            &scene.path("creds/batch"),
        ])
        .await;
    for credential in &batch {
        assert!(!scene.astra.accepts(&credential.token).await);
    }
    assert!(scene.astra.accepts(&kept.token).await);
    scene
        .cli
        .ok(&["lease", "revoke", "-prefix", &scene.path("")])
        .await;
    scene.until_dead(&kept.token, SOON).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_token_deleted_by_hand_is_no_obstacle() {
    let scene = Scene::new("by-hand").await;
    let credential = scene.credential("reader").await;
    scene.astra.delete(&credential.client_id);
    scene.revoke(&credential.lease_id).await;
    scene.finish().await;
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let scene = Scene::new("expiring").await;
    scene.role("brief", "2s", "1h").await;
    let credential = scene.credential("brief").await;
    scene.until_dead(&credential.token, SOON).await;
    scene.finish().await;
}

#[tokio::test]
async fn without_its_role_a_lease_is_not_extended_but_revoked() {
    let scene = Scene::new("roleless").await;
    let credential = scene.credential("reader").await;
    scene.api.delete(&scene.path("roles/reader")).await.ok();
    let reply = scene
        .api
        .write(
            "sys/leases/renew",
            json!({ "lease_id": credential.lease_id }),
        )
        .await;
    assert!(
        !reply.is_ok() && reply.body.to_string().contains("reader"),
        "{}",
        reply.body
    );
    assert!(scene.astra.accepts(&credential.token).await);
    scene.revoke(&credential.lease_id).await;
    assert!(!scene.astra.accepts(&credential.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn a_revocation_that_fails_is_tried_again() {
    let scene = Scene::new("retried").await;
    let credential = scene.credential("reader").await;
    scene.astra.refuse_deletions(true);
    let body = json!({ "lease_id": credential.lease_id, "sync": true });
    let reply = scene.api.write("sys/leases/revoke", body).await;
    assert!(!reply.is_ok(), "{}", reply.body);
    assert!(scene.astra.accepts(&credential.token).await);
    scene.astra.refuse_deletions(false);
    scene.revoke(&credential.lease_id).await;
    assert!(!scene.astra.accepts(&credential.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn the_end_of_a_vault_token_ends_its_leases() {
    let scene = Scene::new("parent").await;
    let policy = format!(
        "path \"{}/creds/*\" {{ capabilities = [\"read\"] }}",
        scene.mount
    );
    scene
        .api
        .write("sys/policies/acl/parent", json!({ "policy": policy }))
        .await
        .ok();
    let child = scene.api.child_token(&["parent"]).await;
    let answer = scene
        .api
        .with_token(&child)
        .read(&scene.path("creds/reader"))
        .await
        .ok();
    let credential = scene.hold(&answer);
    scene
        .api
        .write("auth/token/revoke", json!({ "token": child }))
        .await
        .ok();
    scene.until_dead(&credential.token, SOON).await;
    scene.finish().await;
}
