//! Credentials.

use serde_json::json;

use super::state;
use harness::READ_ONLY;

use crate::setup;

#[tokio::test]
async fn credentials() {
    let mount = setup::mount("refusals-creds").await;
    let strict = json!({ "astra_roles": READ_ONLY, "require_reason": true });
    mount.write("roles/strict", strict).await.ok();
    let name = &mount.name;
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
                "role \"strict\" needs a reason: say why the credential is wanted, for instance \
                 vault read {name}/creds/strict reason=OPS-1234"
            ),
        ),
        (
            "creds/reader",
            json!({ "ttl": "soon" }),
            "Field validation failed: error converting input for field \"ttl\": \"soon\" is not a \
             duration, in seconds or as text such as 90s, 1h30m or 7d: a number is missing; write \
             for instance 90s, 30m, 1h30m or 7d"
                .to_owned(),
        ),
    ];
    for (path, body, text) in cases {
        let before = state(&mount).await;
        let reply = mount.write(path, body.clone()).await;
        assert_eq!(reply.refused(400), text, "{path} {body}");
        assert_eq!(state(&mount).await, before);
    }
    let output = mount
        .cli
        .run(&["read", &mount.path("creds/strict")])
        .await
        .refused();
    assert!(
        output.contains("* role \"strict\" needs a reason"),
        "{output}"
    );
    mount.finish().await;
}

#[tokio::test]
async fn too_many_credentials() {
    let mount = setup::mount("refusals-limit").await;
    let name = &mount.name;
    let role = json!({ "astra_roles": READ_ONLY, "max_active": 1 });
    mount.write("roles/few", role).await.ok();
    mount.credential("few").await;
    let text = format!(
        "role \"few\" may have no more live tokens (it has 1, its max_active is 1): wait until a \
         lease ends, revoke leases that are not needed (vault lease revoke {name}/creds/few/<id>; \
         tokens/default shows for whom they were minted), or raise max_active at roles/few"
    );
    let before = state(&mount).await;
    assert_eq!(mount.read("creds/few").await.refused(400), text);
    let output = mount.cli.run(&["read", &mount.path("creds/few")]).await;
    let output = output.refused();
    assert!(
        output.contains("Code: 400") && output.contains(&format!("* {text}")),
        "{output}"
    );
    assert_eq!(state(&mount).await, before);
    mount.finish().await;
}

#[tokio::test]
async fn a_bundle_that_a_sleeping_database_does_not_give() {
    let mount = setup::mount("refusals-asleep").await;
    let database = mount.astra.emulator.seeds().databases["classic_db"]
        .id
        .clone();
    let role =
        json!({ "astra_roles": READ_ONLY, "database_id": database, "secure_connect_bundle": true });
    let reply = mount.write("roles/asleep", role).await;
    assert_eq!(
        reply.warnings(),
        [format!(
            "database_id: database \"classic_db\" ({database}) is HIBERNATED, not ACTIVE: \
             credentials are minted, but it may not answer, and gives no secure connect bundle, \
             until it is resumed"
        )]
    );
    let before = state(&mount).await;
    let refusal = mount.read("creds/asleep").await.refused(503);
    let expected = format!(
        "config \"default\": database {database} gives no secure connect bundle in its present \
         state: resume it, or set secure_connect_bundle=false on the role ("
    );
    assert!(refusal.contains(&expected), "{refusal}");
    assert_eq!(state(&mount).await, before, "no token is left");
    mount.finish().await;
}

#[tokio::test]
async fn an_astra_that_refuses_or_is_away() {
    let mount = setup::mount("refusals-away").await;
    let org = mount.astra.org_id();
    let grand = mount.astra.emulator.seeds().tokens["db_admin"].clone();
    // A root token that has fewer rights than its role is to grant.
    mount
        .write(
            "config",
            json!({ "token": grand.token, "allow_token_admin": true }),
        )
        .await
        .ok();
    let role = json!({ "astra_roles": "Organization Administrator" });
    mount.write("roles/grand", role).await.ok();
    let refusal = mount.read("creds/grand").await.refused(502);
    assert!(
        refusal.contains(
            "config \"default\": cannot mint a token: the root token may not do POST \
             /v2/clientIdSecrets (HTTP 403)"
        ),
        "{refusal}"
    );
    mount.astra.close(true);
    // The first request may meet the end of a connection that was kept open.
    mount.read("creds/reader").await.refused(502);
    let refusal = mount.read("creds/reader").await.refused(502);
    assert!(
        refusal.contains("config \"default\": cannot mint a token: ")
            && refusal.contains("cannot be reached for POST /v2/clientIdSecrets"),
        "{refusal}"
    );
    mount.astra.close(false);
    assert_eq!(mount.read("config").await.data()["org_id"], json!(org));
    mount.finish().await;
}

#[tokio::test]
async fn a_renewal_without_its_role() {
    let mount = setup::mount("refusals-renewal").await;
    let credential = mount.credential("reader").await;
    mount.api.delete(&mount.path("roles/reader")).await.ok();
    // Vault puts the message into words of its own.
    let text = "does not exist any more, so its leases are not extended: the token stays valid \
        until its lease ends; read a credential of another role";
    let body = json!({ "lease_id": credential.lease_id });
    let refusal = mount.api.write("sys/leases/renew", body).await.refused(400);
    assert!(refusal.contains(text), "{refusal}");
    let output = mount
        .cli
        .run(&["lease", "renew", &credential.lease_id])
        .await
        .refused();
    assert!(output.contains(text), "{output}");
    mount.finish().await;
}
