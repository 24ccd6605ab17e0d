//! Deleting static roles.

use serde_json::json;

use super::current;
use super::delete;
use super::refused;
use super::role;
use super::with_role;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;

#[tokio::test]
async fn a_deleted_role_leaves_no_token() {
    let bench = with_role().await;
    bench.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(bench.live().len(), 2);
    assert!(delete(&bench).await.is_empty());
    assert!(bench.live().is_empty());
    let keys = bench.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/static-role/")),
        "{keys:?}"
    );
    assert!(delete(&bench).await.is_empty());
}

#[tokio::test]
async fn tokens_that_cannot_be_deleted_with_their_role_go_later() {
    let mut bench = with_role().await;
    let first = current(&bench).await;
    bench.fault("DELETE", "*", refused());
    let texts = delete(&bench).await;
    assert!(
        texts[0].starts_with("the static role is deleted, but not all of its tokens are yet"),
        "{texts:?}"
    );
    let read = bench
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let read = bench
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let list = bench
        .call(Operation::List, "static-roles/", json!({}))
        .await
        .unwrap()
        .unwrap();
    assert!(list.data().is_empty());
    // The config is still needed.
    let refusal = bench
        .call(Operation::Delete, "config", json!({}))
        .await
        .err();
    assert!(
        format!("{refusal:?}").contains("static roles app"),
        "{refusal:?}"
    );
    bench.restart();
    bench.tick().await;
    assert!(bench.is_live(&first));
    // A new role of that name takes them over.
    bench.astra.clear_faults();
    bench.write("static-roles/app", role()).await.unwrap();
    bench.tick().await;
    assert_eq!(bench.live(), [current(&bench).await]);
}

#[tokio::test]
async fn a_config_stays_while_static_roles_name_it() {
    let bench = with_role().await;
    let refusal = bench
        .call(Operation::Delete, "config", json!({}))
        .await
        .err();
    let Some(Error::BadRequest(refusal)) = refusal else {
        panic!("{refusal:?}");
    };
    assert!(
        refusal.contains("is in use: static roles app. "),
        "{refusal}"
    );
    let forced = bench
        .call(Operation::Delete, "config", json!({"force": true}))
        .await;
    assert!(warnings(forced.unwrap())[0].contains("static roles app"));
    let texts = delete(&bench).await;
    assert!(
        texts[0].starts_with("config \"default\" is gone"),
        "{texts:?}"
    );
    let read = bench
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
}
