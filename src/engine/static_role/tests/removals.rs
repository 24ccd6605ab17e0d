//! Deleting static roles.

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use astra_emulator::fault::LatencyPoint;
use serde_json::json;
use std::time::Duration;

use super::DAY;
use super::creds;
use super::current;
use super::delete;
use super::refused;
use super::role;
use super::text;
use super::with_role;
use crate::astra::Deadline;
use crate::engine::Deadlines;
use crate::engine::static_role::remove::delete_due;
use crate::engine::testing::AstraMount;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

#[tokio::test]
async fn a_deleted_role_leaves_no_token() {
    let mount = with_role().await;
    mount.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(mount.live().len(), 2);
    assert!(delete(&mount).await.is_empty());
    assert!(mount.live().is_empty());
    let keys = mount.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/static-role/")),
        "{keys:?}"
    );
    assert!(delete(&mount).await.is_empty());
}

#[tokio::test]
async fn tokens_that_cannot_be_deleted_with_their_role_go_later() {
    let mut mount = with_role().await;
    let first = current(&mount).await;
    mount.fault("DELETE", "*", refused());
    let texts = delete(&mount).await;
    assert!(
        texts[0].starts_with("the static role is deleted, but not all of its tokens are yet"),
        "{texts:?}"
    );
    let read = mount
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let read = mount
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let list = mount
        .call(Operation::List, "static-roles/", json!({}))
        .await
        .unwrap()
        .unwrap();
    assert!(list.data().is_empty());
    // The config is still needed.
    let refusal = mount
        .call(Operation::Delete, "config", json!({}))
        .await
        .err();
    assert!(
        format!("{refusal:?}").contains("static roles app"),
        "{refusal:?}"
    );
    mount.restart();
    mount.tick().await;
    assert!(mount.is_live(&first));
    // A new role of that name takes them over.
    mount.astra.clear_faults();
    mount.write("static-roles/app", role()).await.unwrap();
    mount.tick().await;
    assert_eq!(mount.live(), [current(&mount).await]);
}

#[tokio::test]
async fn a_config_stays_while_static_roles_name_it() {
    let mount = with_role().await;
    let refusal = mount
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
    let forced = mount
        .call(Operation::Delete, "config", json!({"force": true}))
        .await;
    assert!(warnings(forced.unwrap())[0].contains("static roles app"));
    let texts = delete(&mount).await;
    assert!(
        texts[0].starts_with("config \"default\" is gone"),
        "{texts:?}"
    );
    let read = mount
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
}

#[tokio::test]
async fn a_role_with_nothing_to_delete_needs_no_config() {
    let mount = with_role().await;
    let forced = mount.delete("config", json!({"force": true})).await;
    forced.unwrap();
    let engine = &mount.backend.engine;
    let deadline = Deadline::after(engine.deadlines.operation);
    delete_due(engine, "app", deadline).await.unwrap();
}

#[tokio::test]
async fn what_a_deleted_role_left_goes_although_the_clock_was_ahead() {
    const AHEAD: Duration = Duration::from_secs(3 * 3_600);
    for writes_again in [false, true] {
        let mut mount = with_role().await;
        let first = current(&mount).await;
        mount.restart_ahead(AHEAD);
        mount.fault("DELETE", "*", refused());
        delete(&mount).await;
        mount.astra.clear_faults();
        mount.restart_with_clock_set_back(AHEAD);
        if writes_again {
            mount.write("static-roles/app", role()).await.unwrap();
        }
        mount.tick().await;
        assert!(!mount.is_live(&first), "{writes_again}");
        assert_eq!(mount.live().len(), usize::from(writes_again));
    }
}

#[tokio::test]
async fn what_stays_is_told_although_storage_says_that_the_removal_failed() {
    let mount = with_role().await;
    let left = current(&mount).await;
    let forced = mount.delete("config", json!({"force": true})).await;
    forced.unwrap();
    // The first write hides the role, the second removes it.
    mount.storage.set_write_fault(Some(WriteFault {
        prefix: "v1/static-role/".to_owned(),
        after: 1,
        deletions: true,
        applied: true,
        ..WriteFault::default()
    }));
    let texts = delete(&mount).await;
    assert!(texts[0].contains(&left), "{texts:?}");
}

#[tokio::test]
async fn a_custom_role_goes_when_its_config_comes_back_after_a_removal_that_broke_off() {
    let mount = AstraMount::configured().await;
    let mut role = role();
    role.as_object_mut().unwrap().remove("astra_roles");
    let resources = ["drn:astra:org:{{org_id}}:db:*"];
    role["policy"] = json!({"resources": resources, "actions": ["db-cql"], "effect": "allow"});
    mount.write("static-roles/app", role).await.unwrap();
    let custom_roles = || {
        let roles = mount.astra.roles(None).unwrap().into_iter();
        roles.filter(|role| role.name.starts_with("vault-")).count()
    };
    assert_eq!(custom_roles(), 1);
    let forced = mount.delete("config", json!({"force": true})).await;
    forced.unwrap();
    mount.storage.set_write_fault(Some(WriteFault {
        prefix: "v1/static-role/".to_owned(),
        applied: true,
        once: true,
        ..WriteFault::default()
    }));
    let broken_off = mount.delete("static-roles/app", json!({})).await;
    assert!(broken_off.is_err());
    mount
        .write("config", mount.config(json!({})))
        .await
        .unwrap();
    mount.tick().await;
    mount.tick().await;
    assert!(mount.live().is_empty());
    assert_eq!(custom_roles(), 0);
}

#[tokio::test]
async fn a_young_token_that_astra_does_not_show_yet_is_not_given_up() {
    let mut mount = with_role().await;
    let org_id = mount.astra.seeds().organizations[0].id.clone();
    mount.write("rotate-role/app", json!({})).await.unwrap();
    let hidden = json!({
        "create_visible_after_ms": 20_000,
        "create_visible_scope": "delete",
        "list_stale_ms": 20_000,
    });
    mount.astra.set_org_knobs(&org_id, hidden).unwrap();
    mount.write("rotate-role/app", json!({})).await.unwrap();
    let texts = delete(&mount).await;
    assert!(texts[0].contains("it may still appear"), "{texts:?}");
    mount.astra.set_org_knobs(&org_id, json!({})).unwrap();
    mount.advance(Duration::from_secs(31));
    mount.tick().await;
    assert!(mount.live().is_empty());
}

/// A token that was made while this node's clock was ahead is young for as long as Astra says: its absence
/// is not believed sooner, and does not have to wait until this node's clock is where it was.
#[test]
fn a_token_of_a_clock_that_was_ahead_is_as_young_as_astra_says() {
    let ahead = Duration::from_secs(3 * 3_600);
    for is_old in [false, true] {
        virtual_time::run(1, async {
            let mut mount = AstraMount::in_virtual_time(Deadlines::default());
            mount.mount().await;
            mount.restart_ahead(ahead);
            let hidden =
                json!({"create_visible_after_ms": 20_000, "create_visible_scope": "delete"});
            mount.astra.set_knobs(hidden).unwrap();
            mount.write("static-roles/app", role()).await.unwrap();
            mount.restart_with_clock_set_back(ahead);
            if is_old {
                // Somebody deletes it.
                mount.astra.revoke_token(&current(&mount).await).unwrap();
                tokio::time::sleep(Duration::from_secs(31)).await;
            } else {
                let unlisted = json!({"create_visible_after_ms": 0, "list_stale_ms": 20_000});
                mount.astra.set_knobs(unlisted).unwrap();
            }
            let texts = delete(&mount).await;
            if is_old {
                assert_eq!(texts, [""; 0]);
            } else {
                assert!(texts[0].contains("it may still appear"), "{texts:?}");
                tokio::time::sleep(Duration::from_secs(20)).await;
                mount.tick().await;
            }
            assert!(mount.live().is_empty(), "{is_old}");
            let keys = mount.storage.keys();
            let has_entry = keys.iter().any(|key| key.starts_with("v1/static-role/"));
            assert!(!has_entry, "{keys:?}");
        });
    }
}

/// An untried token does not move a config: it refuses to work for another organization than it is for.
/// A tried write with `force` brings it back, and then what it could not delete goes.
#[tokio::test]
async fn tokens_wait_for_their_organization() {
    let mut mount = with_role().await;
    let first = current(&mount).await;
    let orgs = mount.astra.seeds().organizations;
    mount
        .delete("config", json!({"force": true}))
        .await
        .unwrap();
    let other = mount.config(json!({"token": orgs[2].root_token, "verify": false}));
    mount.write("config", other).await.unwrap();
    mount.tick().await;
    mount.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(text(&creds(&mount).await, "org_id"), orgs[2].id);
    // Its time is over, and the list of the other organization does not show it.
    mount.advance(DAY);
    mount.tick().await;
    let untried = json!({"token": mount.another_root_token(), "verify": false});
    mount.write("config", untried).await.unwrap();
    mount.tick().await;
    let refusal = mount
        .write("rotate-role/app", json!({}))
        .await
        .err()
        .unwrap();
    let refusal = refusal.to_string();
    assert!(refusal.contains("belongs to organization"), "{refusal}");
    assert!(mount.is_live(&first));

    let tried = json!({"token": mount.another_root_token(), "verify": true, "force": true});
    mount.write("config", tried).await.unwrap();
    mount.write("rotate-role/app", json!({})).await.unwrap();
    mount.tick().await;
    assert_eq!(text(&creds(&mount).await, "org_id"), orgs[0].id);
    assert!(!mount.is_live(&first));
}

#[tokio::test]
async fn a_token_in_the_organization_of_another_config_is_deleted_with_its_root_token() {
    let mount = with_role().await;
    let orgs = mount.astra.seeds().organizations;
    let root_of = |org: usize| {
        let wanted = PortalToken {
            org_id: Some(orgs[org].id.clone()),
            roles: vec!["Organization Administrator".to_owned()],
            ..PortalToken::default()
        };
        mount.astra.create_token(wanted).unwrap().token
    };
    let move_to = async |org: usize| {
        let moved = json!({"token": root_of(org), "force": true});
        warnings(mount.write("config", moved).await.unwrap())
    };
    mount.write_config("other", &root_of(2)).await;
    move_to(2).await;
    mount.write("rotate-role/app", json!({})).await.unwrap();
    let there = current(&mount).await;
    // It does not stay: the other config deletes it.
    let texts = move_to(0).await;
    assert!(!texts.iter().any(|text| text.contains(&there)), "{texts:?}");
    let rotated = mount.write("rotate-role/app", json!({})).await.unwrap();
    let told = warnings(rotated);
    assert!(
        told.iter()
            .any(|text| text.contains("config \"other\" deletes it")),
        "{told:?}"
    );
    assert!(mount.is_live(&there));
    assert!(delete(&mount).await.is_empty());
    assert!(mount.live().is_empty());
}

#[tokio::test]
async fn a_token_in_the_organization_of_no_config_waits_for_one() {
    let mount = with_role().await;
    let root = mount.another_root_token();
    let elsewhere = mount.astra.seeds().organizations[2].root_token.clone();
    let moved = json!({"token": elsewhere, "force": true});
    mount.write("config", moved).await.unwrap();
    let texts = delete(&mount).await;
    assert!(
        texts[0].contains("give this or another config"),
        "{texts:?}"
    );
    mount.write_config("other", &root).await;
    mount.tick().await;
    assert!(mount.live().is_empty());
}

/// Astra looks when it is asked; that the token is old by the time the answer is here proves nothing.
#[test]
fn a_token_that_gets_old_while_astra_answers_is_not_given_up() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let hidden = json!({"create_visible_after_ms": 20_000, "create_visible_scope": "delete"});
        let unlisted = json!({"create_visible_after_ms": 0, "list_stale_ms": 20_000});
        mount.astra.set_knobs(hidden).unwrap();
        mount.write("static-roles/app", role()).await.unwrap();
        mount.astra.set_knobs(unlisted).unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let slow = Fault::Latency {
            ms: 25_000,
            max_ms: None,
            at: LatencyPoint::AfterCommit,
        };
        mount.fault_once("GET", "/v2/clientIdSecrets", slow);
        let texts = delete(&mount).await;
        assert!(texts[0].contains("it may still appear"), "{texts:?}");
        mount.tick().await;
        assert!(mount.live().is_empty());
    });
}
