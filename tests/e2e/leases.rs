//! Leases: extended, ended, expired.

use serde_json::json;

use harness::SOON;

use crate::setup;

#[tokio::test]
async fn renewing_keeps_the_token_and_extends_the_lease() {
    let mount = setup::mount("renewed").await;
    let credential = mount.credential("reader").await;
    let renewed = mount
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
        mount.api.write("sys/leases/renew", longer).await.ok()["lease_duration"],
        7200
    );
    assert!(mount.astra.accepts(&credential.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn revoking_deletes_the_token() {
    let mount = setup::mount("revoked").await;
    let credential = mount.credential("reader").await;
    let other = mount.credential("reader").await;
    mount.revoke(&credential.lease_id).await;
    assert!(!mount.astra.accepts(&credential.token).await);
    assert!(mount.astra.accepts(&other.token).await);
    // A second time is not an error to Vault, and nothing is left to do.
    mount
        .api
        .write(
            "sys/leases/revoke",
            json!({ "lease_id": credential.lease_id }),
        )
        .await
        .ok();
    mount.finish().await;
}

#[tokio::test]
async fn revoking_by_prefix_ends_one_role_and_spares_the_other() {
    let mount = setup::mount("prefix").await;
    mount.role("batch", "1h", "8h").await;
    let mut batch = Vec::new();
    for _ in 0..5 {
        batch.push(mount.credential("batch").await);
    }
    let kept = mount.credential("reader").await;
    mount
        .cli
        .ok(&[
            "lease",
            "revoke",
            "-sync",
            "-prefix",
            &mount.path("creds/batch"),
        ])
        .await;
    for credential in &batch {
        assert!(!mount.astra.accepts(&credential.token).await);
    }
    assert!(mount.astra.accepts(&kept.token).await);
    mount
        .cli
        .ok(&["lease", "revoke", "-prefix", &mount.path("")])
        .await;
    mount.until_dead(&kept.token, SOON).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_young_token_deleted_by_hand_is_revoked_later_or_by_force() {
    let mount = setup::mount("by-hand").await;
    let credential = mount.credential("reader").await;
    mount.astra.delete(&credential.client_id);
    // Astra may show a token late, so its absence proves nothing yet.
    let lease = json!({ "lease_id": credential.lease_id, "sync": true });
    let reply = mount.api.write("sys/leases/revoke", lease).await;
    // A busy machine may take so long that the token is not young any more.
    if !reply.is_ok() {
        let refused = reply.refused(400);
        assert!(refused.contains("has to be tried again"), "{refused}");
        let prefix = format!("sys/leases/revoke-force/{}", mount.path("creds/reader"));
        mount.api.write(&prefix, json!({})).await.ok();
    }
    mount.finish().await;
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let mount = setup::mount("expiring").await;
    mount.role("brief", "2s", "1h").await;
    // On a busy machine it may end before anything can be asked of the token.
    let answer = mount.read("creds/brief").await.ok();
    let credential = mount.hold(&answer);
    assert_eq!(
        (&answer["lease_duration"], mount.astra.minted()),
        (&json!(2), 1)
    );
    mount.until_dead(&credential.token, SOON).await;
    assert_eq!(mount.astra.emulator.invariants().deleted, 1);
    mount.finish().await;
}

#[tokio::test]
async fn without_its_role_a_lease_is_not_extended_but_revoked() {
    let mount = setup::mount("roleless").await;
    let credential = mount.credential("reader").await;
    mount.api.delete(&mount.path("roles/reader")).await.ok();
    let reply = mount
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
    assert!(mount.astra.accepts(&credential.token).await);
    mount.revoke(&credential.lease_id).await;
    assert!(!mount.astra.accepts(&credential.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn a_revocation_that_fails_is_tried_again() {
    let mount = setup::mount("retried").await;
    let credential = mount.credential("reader").await;
    mount.astra.refuse_deletions(true);
    let body = json!({ "lease_id": credential.lease_id, "sync": true });
    let reply = mount.api.write("sys/leases/revoke", body).await;
    assert!(!reply.is_ok(), "{}", reply.body);
    assert!(mount.astra.accepts(&credential.token).await);
    mount.astra.refuse_deletions(false);
    mount.revoke(&credential.lease_id).await;
    assert!(!mount.astra.accepts(&credential.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn the_end_of_a_vault_token_ends_its_leases() {
    let mount = setup::mount("parent").await;
    let policy = format!(
        "path \"{}/creds/*\" {{ capabilities = [\"read\"] }}",
        mount.name
    );
    mount
        .api
        .write("sys/policies/acl/parent", json!({ "policy": policy }))
        .await
        .ok();
    let child = mount.api.child_token(&["parent"]).await;
    let answer = mount
        .api
        .with_token(&child)
        .read(&mount.path("creds/reader"))
        .await
        .ok();
    let credential = mount.hold(&answer);
    mount
        .api
        .write("auth/token/revoke", json!({ "token": child }))
        .await
        .ok();
    mount.until_dead(&credential.token, SOON).await;
    mount.finish().await;
}
