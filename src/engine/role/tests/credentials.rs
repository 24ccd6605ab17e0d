//! What a credential tells about the database.

use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::text;
use crate::vault::Error;
use crate::vault::Operation;

#[tokio::test]
async fn a_credential_carries_what_an_application_needs() {
    let mount = AstraMount::configured().await;
    let vector = mount.astra.seeds().databases["vector_db"].id.clone();
    let role = json!({"astra_roles": "RO User", "database_id": vector});
    mount.write("roles/app", role).await.unwrap();
    // The first mint of a process asks for the root token's organization.
    mount.read_response("creds/app").await;
    mount.astra.clear_journal();
    let credential = mount.read_response("creds/app").await;
    // The facts are the role's: only the mint is sent.
    assert_eq!(mount.astra.journal().len(), 1);
    assert_eq!(text(&credential, "database_id"), vector);
    assert_eq!(text(&credential, "region"), "us-east1");
    assert_eq!(text(&credential, "keyspace"), "default_keyspace");
    assert_eq!(
        text(&credential, "api_endpoint"),
        format!("https://{vector}-us-east1.apps.astra.datastax.com")
    );
    assert!(credential.data().values().all(serde_json::Value::is_string));
    assert!(!credential.data().contains_key("secure_connect_bundle_url"));

    let other = json!({"region": "europe-west1", "keyspace": "app"});
    mount.write("roles/app", other).await.unwrap();
    let credential = mount.read_response("creds/app").await;
    assert_eq!(text(&credential, "region"), "europe-west1");
    assert_eq!(text(&credential, "keyspace"), "app");
    assert_eq!(
        text(&credential, "api_endpoint"),
        format!("https://{vector}-europe-west1.apps.astra.datastax.com")
    );
}

#[tokio::test]
async fn a_bundle_link_is_new_and_for_the_region() {
    let mount = AstraMount::configured().await;
    let vector = mount.astra.seeds().databases["vector_db"].id.clone();
    let role =
        json!({"astra_roles": "RO User", "database_id": vector, "secure_connect_bundle": true});
    mount.write("roles/app", role).await.unwrap();
    let link = text(
        &mount.read_response("creds/app").await,
        "secure_connect_bundle_url",
    );
    assert!(link.contains(&format!("{vector}-1")), "{link}");
    let other = json!({"region": "europe-west1"});
    mount.write("roles/app", other).await.unwrap();
    let link = text(
        &mount.read_response("creds/app").await,
        "secure_connect_bundle_url",
    );
    assert!(link.contains(&format!("{vector}-2")), "{link}");
    let stored = mount.storage.keys();
    for key in stored {
        let entry = crate::vault::Storage::get(&*mount.storage, &key)
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8(entry.value).unwrap();
        assert!(!text.contains("/_bundle/"), "{key}");
    }
}

#[tokio::test]
async fn without_a_bundle_no_token_is_minted() {
    let mount = AstraMount::configured().await;
    let vector = mount.astra.seeds().databases["vector_db"].id.clone();
    let role =
        json!({"astra_roles": "RO User", "database_id": vector, "secure_connect_bundle": true});
    mount.write("roles/app", role).await.unwrap();
    mount
        .astra
        .set_database_status(&vector, "HIBERNATED")
        .unwrap();
    let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
    let Err(Error::Status { status, message }) = outcome else {
        panic!("not refused with a status");
    };
    assert_eq!(status.code(), 503);
    let expected = format!(
        "config \"default\": database {vector} gives no secure connect bundle in its present \
         state: resume it, or set secure_connect_bundle=false on the role ("
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(mount.astra.live_tokens().is_empty());
    let posts = mount.astra.journal();
    assert!(
        posts
            .iter()
            .all(|entry| entry.path != "/v2/clientIdSecrets" || entry.method != "POST")
    );
}
