//! Root tokens that are to be deleted, and could not be at once.

use std::time::Duration;

use astra_emulator::PortalToken;
use serde_json::json;

use super::refused;
use super::root_of;
use super::rotate;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::warnings;
use crate::vault::Operation;
use crate::vault::Storage;

#[tokio::test]
async fn an_undeleted_old_token_is_a_warning_and_goes_later() {
    let bench = AstraMount::configured().await;
    let first = root_of(&bench).await;
    let path = format!("/v2/clientIdSecrets/{first}");
    bench.fault("DELETE", &path, refused(403));
    let texts = warnings(rotate(&bench).await.unwrap());
    assert_eq!(texts.len(), 1);
    assert!(
        texts[0].contains(&first) && texts[0].contains("not deleted yet"),
        "{texts:?}"
    );
    let second = root_of(&bench).await;
    assert!(bench.is_live(&first) && bench.is_live(&second));
    bench.tick().await;
    assert!(bench.is_live(&first));
    bench.astra.clear_faults();
    bench.tick().await;
    assert!(!bench.is_live(&first));
    assert_eq!(root_of(&bench).await, second);
}

#[tokio::test]
async fn what_rotation_minted_goes_when_the_operator_gives_another() {
    let bench = AstraMount::configured().await;
    rotate(&bench).await.unwrap();
    let minted = root_of(&bench).await;
    let roles = bench.astra.seeds().tokens["org_admin"].roles.clone();
    let portal = bench.astra.create_token(PortalToken {
        roles,
        ..PortalToken::default()
    });
    let portal = portal.unwrap();
    bench
        .write("config", bench.config(json!({"token": &portal.token})))
        .await
        .unwrap();
    bench.tick().await;
    assert!(!bench.is_live(&minted));
    assert!(bench.is_live(&portal.client_id));
    // What the operator gave is the operator's: it stays when the config goes.
    bench
        .call(Operation::Delete, "config", json!({}))
        .await
        .unwrap();
    assert!(bench.is_live(&portal.client_id));
}

#[tokio::test]
async fn a_deleted_config_leaves_nothing_that_rotation_minted() {
    let bench = AstraMount::configured().await;
    rotate(&bench).await.unwrap();
    let deleted = bench.call(Operation::Delete, "config", json!({})).await;
    assert!(warnings(deleted.unwrap()).is_empty());
    assert!(bench.live().is_empty());
}

#[tokio::test]
async fn what_a_deleted_config_leaves_goes_with_a_later_tick() {
    let mut bench = AstraMount::configured().await;
    rotate(&bench).await.unwrap();
    bench.fault("DELETE", "/v2/clientIdSecrets/*", refused(503));
    let deleted = bench.call(Operation::Delete, "config", json!({})).await;
    let warnings = warnings(deleted.unwrap());
    assert!(warnings[0].contains("ticks try again"), "{warnings:?}");
    assert_eq!(bench.live().len(), 1);
    bench.restart();
    bench.astra.clear_faults();
    bench.tick().await;
    assert!(bench.live().is_empty());
    let keys = bench.storage.keys();
    assert!(
        keys.iter()
            .all(|key| !key.starts_with("v1/pending-deletion/")),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_tick_leaves_a_former_root_token_to_the_requests_that_use_it() {
    for ends in [true, false] {
        let mut bench = AstraMount::configured().await;
        let first = root_of(&bench).await;
        let used = bench.backend.engine.configs.find("default").await.unwrap();
        let texts = warnings(rotate(&bench).await.unwrap());
        assert!(texts[0].contains("still run"), "{texts:?}");
        bench.tick().await;
        assert!(bench.is_live(&first));
        let mut used = used;
        if ends {
            used.take();
        } else {
            // No request lasts so long.
            bench.advance(std::time::Duration::from_secs(60));
        }
        bench.tick().await;
        assert!(!bench.is_live(&first), "{ends}");
        drop(used);
    }
}

/// The config `other` with the root token of `default`, as an older version allowed it.
async fn with_shared_root() -> AstraMount {
    let mut bench = AstraMount::configured().await;
    let storage = &bench.storage;
    let mut entry = storage.get("v1/config/default").await.unwrap().unwrap();
    entry.key = "v1/config/other".to_owned();
    storage.put(entry).await.unwrap();
    bench.restart();
    for config in ["default", "other"] {
        let role = json!({"astra_roles": READER, "config": config});
        bench.write(&format!("roles/{config}"), role).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn a_root_token_that_another_config_has_stays() {
    let bench = with_shared_root().await;
    let mint = async || {
        for path in ["creds/default", "creds/other"] {
            bench.read_data(path).await;
        }
    };
    let shared = root_of(&bench).await;
    let texts = warnings(rotate(&bench).await.unwrap());
    let expected = "is not deleted, as config \"other\" has it too";
    assert!(texts[0].contains(expected), "{texts:?}");
    mint().await;
    for _ in 0..2 {
        bench.tick().await;
        mint().await;
    }
    assert!(bench.is_live(&shared));
    // Nothing else has it now.
    bench.write("rotate-root/other", json!({})).await.unwrap();
    assert!(!bench.is_live(&shared));
    mint().await;
}

#[tokio::test]
async fn what_a_deleted_config_leaves_stays_if_another_config_has_it() {
    let bench = with_shared_root().await;
    let shared = root_of(&bench).await;
    bench.fault(
        "DELETE",
        &format!("/v2/clientIdSecrets/{shared}"),
        refused(403),
    );
    rotate(&bench).await.unwrap();
    bench.astra.clear_faults();
    let force = json!({"force": true});
    bench
        .call(Operation::Delete, "config", force)
        .await
        .unwrap();
    bench.tick().await;
    bench.read_data("creds/other").await;
    assert!(bench.is_live(&shared));
}

#[tokio::test]
async fn another_config_of_the_organization_deletes_what_the_deleted_one_cannot() {
    let mut bench = AstraMount::configured().await;
    rotate(&bench).await.unwrap();
    let minted = root_of(&bench).await;
    let other = bench.astra.seeds().organizations[2].root_token.clone();
    let untried = json!({"token": other, "verify": false});
    bench.write("config", untried).await.unwrap();
    let force = json!({"force": true});
    let deleted = bench.call(Operation::Delete, "config", force).await;
    let texts = warnings(deleted.unwrap());
    assert!(texts.iter().any(|text| text.contains(&minted)), "{texts:?}");
    bench.tick().await;
    assert!(bench.is_live(&minted));
    let own = bench.config(json!({"token": bench.another_root_token()}));
    bench.write("config/second", own).await.unwrap();
    bench.advance(Duration::from_secs(3_600));
    bench.tick().await;
    assert!(!bench.is_live(&minted));
    let keys = bench.storage.keys();
    let left = |key: &String| key.starts_with("v1/pending-deletion/");
    assert!(!keys.iter().any(left), "{keys:?}");
}
