//! What `static-creds` tells about the database.

use serde_json::Value;
use serde_json::json;

use super::SHOWN_ONLY;
use super::creds;
use super::current;
use super::role;
use super::text;
use crate::engine::testing::AstraMount;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;

/// A static role for the emulator's database with two regions, whose id is the second part.
async fn with_database(changes: Value) -> (AstraMount, String) {
    let mount = AstraMount::configured().await;
    let id = mount.astra.seeds().databases["vector_db"].id.clone();
    let mut wanted = role();
    wanted["database_id"] = json!(id);
    let Value::Object(changes) = changes else {
        panic!("changes are an object");
    };
    wanted.as_object_mut().unwrap().extend(changes);
    mount.write("static-roles/app", wanted).await.unwrap();
    (mount, id)
}

async fn patch(mount: &AstraMount, data: Value) {
    mount
        .call(Operation::Patch, "static-roles/app", data)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_token_comes_with_what_an_application_needs() {
    let (mut mount, id) = with_database(json!({})).await;
    let before = mount.all_requests();
    let data = creds(&mount).await;
    mount.set_standby(true);
    let elsewhere = creds(&mount).await;
    assert_eq!(elsewhere["api_endpoint"], data["api_endpoint"]);
    mount.set_standby(false);
    assert_eq!(
        mount.all_requests(),
        before,
        "the facts are the static role's"
    );
    assert_eq!(text(&data, "database_id"), id);
    assert_eq!(text(&data, "region"), "us-east1");
    assert_eq!(text(&data, "keyspace"), "default_keyspace");
    assert_eq!(
        text(&data, "api_endpoint"),
        format!("https://{id}-us-east1.apps.astra.datastax.com")
    );
    assert!(!data.contains_key("secure_connect_bundle_url"));

    // Another database does not change the token.
    let token = current(&mount).await;
    patch(&mount, json!({"region": "europe-west1", "keyspace": "app"})).await;
    let data = creds(&mount).await;
    assert_eq!(
        (text(&data, "region"), text(&data, "keyspace")),
        ("europe-west1", "app")
    );
    assert_eq!(text(&data, "client_id"), token);
    patch(&mount, json!({"region": null, "keyspace": null})).await;
    assert_eq!(text(&creds(&mount).await, "region"), "us-east1");
    patch(&mount, json!({"database_id": null})).await;
    let data = creds(&mount).await;
    assert!(!data.contains_key("database_id") && !data.contains_key("api_endpoint"));
    assert_eq!(text(&data, "client_id"), token);
}

#[tokio::test]
async fn the_bundle_link_is_new_and_only_the_active_node_gets_one() {
    let (mut mount, id) = with_database(json!({"secure_connect_bundle": true})).await;
    let first = creds(&mount).await;
    mount.advance(std::time::Duration::from_secs(1));
    let second = creds(&mount).await;
    let link = text(&first, "secure_connect_bundle_url");
    assert!(link.contains(&format!("{id}-1")), "{link}");
    assert_ne!(link, text(&second, "secure_connect_bundle_url"));
    assert_eq!(first["token"], second["token"]);
    for key in mount.storage.keys() {
        let entry = crate::vault::Storage::get(&*mount.storage, &key).await;
        let entry = String::from_utf8(entry.unwrap().unwrap().value).unwrap();
        assert!(!entry.contains("/_bundle/"), "{key}");
    }
    mount.set_standby(true);
    let before = mount.all_requests();
    let read = mount
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    assert_eq!(read.err(), Some(Error::ReadOnly));
    assert_eq!(mount.all_requests(), before);
}

#[tokio::test]
async fn a_database_without_a_bundle_is_a_clear_error() {
    let (mount, id) = with_database(json!({"secure_connect_bundle": true})).await;
    mount.astra.set_database_status(&id, "HIBERNATED").unwrap();
    let read = mount
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    let Some(Error::Status { status, message }) = read.err() else {
        panic!("not refused with a status");
    };
    assert_eq!(status.code(), 503);
    assert!(message.contains("gives no secure connect bundle in its present state"));
    // The token can still be had.
    patch(&mount, json!({"secure_connect_bundle": null})).await;
    assert!(mount.is_live(&current(&mount).await));
}

#[tokio::test]
async fn the_database_is_checked_as_for_roles() {
    let mount = AstraMount::configured().await;
    for (field, value, expected) in [
        ("keyspace", json!("app"), "keyspace needs database_id: "),
        (
            "database_id",
            json!("nowhere"),
            "database_id: the organization of config \"default\" has no database \"nowhere\"",
        ),
    ] {
        let mut wanted = role();
        wanted[field] = value;
        let refusal = mount.refusal("static-roles/app", wanted).await;
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    assert!(mount.live().is_empty());
}

#[tokio::test]
async fn what_is_read_can_be_written_back() {
    let changes = json!({"region": "europe-west1", "secure_connect_bundle": true});
    let (mount, id) = with_database(changes).await;
    let before = mount.read_data("static-roles/app").await;
    assert_eq!(text(&before, "database_id"), id);
    assert_eq!(before["keyspace"], json!(""));
    let written = mount
        .write("static-roles/app", Value::Object(before.clone()))
        .await;
    assert_eq!(warnings(written.unwrap()), [SHOWN_ONLY]);
    assert_eq!(mount.read_data("static-roles/app").await, before);
    let list = mount
        .call(Operation::List, "static-roles/", json!({}))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(list.data()["key_info"]["app"]["database_id"], json!(id));
}
