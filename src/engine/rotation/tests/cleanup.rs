//! Root tokens that are to be deleted, and could not be at once.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::PortalToken;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use super::refused;
use super::root_of;
use super::rotate;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::fall_behind_after_missed_deletions;
use crate::engine::testing::until_hung;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Operation;
use crate::vault::Storage;
use crate::vault::memory::WriteFault;

#[tokio::test]
async fn an_undeleted_old_token_is_a_warning_and_goes_later() {
    let mount = AstraMount::configured().await;
    let first = root_of(&mount).await;
    let path = format!("/v2/clientIdSecrets/{first}");
    mount.fault("DELETE", &path, refused(403));
    let texts = warnings(rotate(&mount).await.unwrap());
    assert_eq!(texts.len(), 1);
    assert!(
        texts[0].contains(&first) && texts[0].contains("not deleted yet"),
        "{texts:?}"
    );
    let second = root_of(&mount).await;
    assert!(mount.is_live(&first) && mount.is_live(&second));
    mount.tick().await;
    assert!(mount.is_live(&first));
    mount.astra.clear_faults();
    mount.tick().await;
    assert!(!mount.is_live(&first));
    assert_eq!(root_of(&mount).await, second);
}

#[tokio::test]
async fn what_rotation_minted_goes_when_the_operator_gives_another() {
    let mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    let minted = root_of(&mount).await;
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let portal = mount.astra.create_token(PortalToken {
        roles,
        ..PortalToken::default()
    });
    let portal = portal.unwrap();
    mount
        .write("config", mount.config(json!({"token": &portal.token})))
        .await
        .unwrap();
    mount.tick().await;
    assert!(!mount.is_live(&minted));
    assert!(mount.is_live(&portal.client_id));
    // What the operator gave is the operator's: it stays when the config goes.
    mount
        .call(Operation::Delete, "config", json!({}))
        .await
        .unwrap();
    assert!(mount.is_live(&portal.client_id));
}

#[tokio::test]
async fn a_config_that_was_written_untried_tells_what_rotation_minted_when_it_moves() {
    let mount = AstraMount::configured().await;
    let orgs = mount.astra.seeds().organizations.clone();
    let mut untried = mount.config(json!({"token": orgs[1].root_token}));
    untried["verify"] = json!(false);
    mount.write("config/moved", untried).await.unwrap();
    mount.write("rotate-root/moved", json!({})).await.unwrap();
    let config = mount.read_data("config/moved").await;
    let minted = config["token_client_id"].as_str().unwrap().to_owned();
    let another = mount.config(json!({"token": orgs[2].root_token, "verify": true}));
    let text = mount.refusal("config/moved", another.clone()).await;
    assert!(text.contains(&orgs[1].id), "{text}");
    let mut forced = another;
    forced["force"] = json!(true);
    let texts = warnings(mount.write("config/moved", forced).await.unwrap());
    let told = texts.iter().any(|text| text.contains(&minted));
    assert!(told || !mount.is_live(&minted), "{texts:?}");
}

#[tokio::test]
async fn a_deleted_config_leaves_nothing_that_rotation_minted() {
    let mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    let deleted = mount.call(Operation::Delete, "config", json!({})).await;
    assert!(warnings(deleted.unwrap()).is_empty());
    assert!(mount.live().is_empty());
}

/// The config that has the deleted one's root token again does not know what that replaced.
#[tokio::test]
async fn a_former_root_token_is_deleted_although_its_config_is_written_again() {
    let mut mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    let minted = root_of(&mount).await;
    let another = mount.another_root_token();
    let config = mount.config(json!({"token": another}));
    mount.write("config", config.clone()).await.unwrap();
    let path = format!("/v2/clientIdSecrets/{minted}");
    let outage = mount.fault("DELETE", &path, refused(503));
    let force = json!({"force": true});
    let deleted = mount.call(Operation::Delete, "config", force).await;
    let texts = warnings(deleted.unwrap());
    assert!(texts.concat().contains(&minted), "{texts:?}");
    mount.write("config", config).await.unwrap();
    mount.astra.remove_fault(outage).unwrap();
    mount.advance(Duration::from_secs(3600));
    mount.tick().await;
    assert!(!mount.is_live(&minted));
    let root = root_of(&mount).await;
    assert!(mount.is_live(&root));
    let keys = mount.storage.keys();
    assert!(!keys.iter().any(|key| key.contains("pending-deletion")));
}

#[tokio::test]
async fn a_config_that_moves_leaves_no_root_token_that_rotation_minted() {
    let mut mount = AstraMount::configured().await;
    let first = root_of(&mount).await;
    let refusal = mount.fault("DELETE", "/v2/clientIdSecrets/*", refused(403));
    rotate(&mount).await.unwrap();
    mount.astra.remove_fault(refusal).unwrap();
    let minted = root_of(&mount).await;
    let org = &mount.astra.seeds().organizations[1];
    let moved = mount.config(json!({"token": org.root_token, "force": true}));
    let texts = warnings(mount.write("config", moved).await.unwrap());
    let told = |text: &String| text.contains(&minted) && text.contains(&first);
    assert!(texts.iter().any(told), "{texts:?}");
    mount.advance(Duration::from_secs(60));
    mount.tick().await;
    assert!(!mount.is_live(&minted) && !mount.is_live(&first));
    let root = root_of(&mount).await;
    assert!(mount.is_live(&root));
}

/// Rotates the root token of `default`; the former one, whose client id is returned, cannot be deleted.
async fn rotate_with_former(mount: &AstraMount) -> String {
    let former = root_of(mount).await;
    let refusal = mount.fault("DELETE", "/v2/clientIdSecrets/*", refused(403));
    rotate(mount).await.unwrap();
    mount.astra.remove_fault(refusal).unwrap();
    assert!(mount.is_live(&former));
    former
}

fn has_pending_deletion(mount: &AstraMount) -> bool {
    let keys = mount.storage.keys();
    keys.iter()
        .any(|key| key.starts_with("v1/pending-deletion/"))
}

/// The deleted config's own root token is dead, and no other config's can delete what it cannot.
#[tokio::test]
async fn a_former_root_token_of_a_deleted_config_is_deleted_once_the_config_is_written_again() {
    let mut mount = AstraMount::configured().await;
    let former = rotate_with_former(&mount).await;
    mount.astra.revoke_token(&root_of(&mount).await).unwrap();
    let force = json!({"force": true});
    let texts = warnings(mount.delete("config", force).await.unwrap());
    let remedy = "write a config for the same organization";
    let told = |text: &String| text.contains(&former) && text.contains(remedy);
    assert!(texts.iter().any(told), "{texts:?}");
    for _ in 0..2 {
        mount.tick().await;
        mount.advance(Duration::from_secs(3_600));
    }
    assert!(mount.is_live(&former) && has_pending_deletion(&mount));
    let another = mount.another_root_token();
    mount.write_config("default", &another).await;
    mount.tick().await;
    assert!(!mount.is_live(&former));
    assert!(!has_pending_deletion(&mount));
    let root = root_of(&mount).await;
    assert!(mount.is_live(&root));
}

/// Whatever a process leaves that dies while it deletes a config, the next one finishes, also where no token
/// works any more that could tell what is left.
#[tokio::test]
async fn a_process_may_die_at_any_step_of_a_deletion() {
    for nth in 1..=8 {
        for committed in [false, true] {
            let mut mount = AstraMount::configured().await;
            let former = rotate_with_former(&mount).await;
            let deletion = mount.delete("config", json!({"force": true}));
            mount.until_request_hangs(nth, committed, deletion).await;
            let what = format!("dead at request {nth}, committed: {committed}");
            assert_forgotten(&mut mount, &former, &what).await;
        }
    }
    for after in 0..5 {
        for applied in [false, true] {
            let mut mount = AstraMount::configured().await;
            let former = rotate_with_former(&mount).await;
            mount.storage.set_write_fault(Some(WriteFault {
                prefix: "v1/".to_owned(),
                after,
                applied,
                deletions: true,
                hangs: true,
                ..WriteFault::default()
            }));
            let deletion = mount.delete("config", json!({"force": true}));
            until_hung(&mount.storage, deletion).await;
            let what = format!("dead at write {after}, written: {applied}");
            assert_forgotten(&mut mount, &former, &what).await;
        }
    }
}

/// What must hold in the end: a new process leaves none of the config's root tokens.
async fn assert_forgotten(mount: &mut AstraMount, former: &str, what: &str) {
    mount.astra.clear_faults();
    mount.restart();
    // What was minted a moment ago may be absent because it is not shown yet.
    mount.advance(Duration::from_secs(60));
    if mount.read("config").await.is_some() {
        let force = json!({"force": true});
        mount.delete("config", force).await.unwrap();
    }
    mount.tick().await;
    assert!(!mount.is_live(former), "{what}: the former one lives");
    assert!(mount.live().is_empty(), "{what}: {:?}", mount.live());
    assert!(!has_pending_deletion(mount), "{what}: it is pending");
}

/// The deleted config's own root token gets no answer, and another config's does.
#[test]
fn a_root_token_that_hangs_leaves_time_to_that_of_another_config() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let former = rotate_with_former(&mount).await;
        let minted = root_of(&mount).await;
        let other = mount.another_root_token();
        mount.write_config("other", &other).await;
        let mut rule = FaultRule::new(Fault::Hang { committed: false });
        rule.matcher.client_id = Some(minted.clone());
        mount.astra.add_fault(rule).unwrap();
        let force = json!({"force": true});
        let texts = warnings(mount.delete("config", force).await.unwrap());
        assert!(texts.concat().contains(&former), "{texts:?}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        mount.tick().await;
        assert!(!mount.is_live(&former) && !mount.is_live(&minted));
        assert!(!has_pending_deletion(&mount));
    });
}

/// Its own root token is dead, and another config's can delete what it cannot, but not now.
#[tokio::test]
async fn a_former_root_token_of_a_deleted_config_is_deleted_once_another_config_can() {
    let mut mount = AstraMount::configured().await;
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let other = PortalToken {
        roles,
        ..PortalToken::default()
    };
    let other = mount.astra.create_token(other).unwrap();
    mount.write_config("other", &other.token).await;
    let former = rotate_with_former(&mount).await;
    mount.astra.revoke_token(&root_of(&mount).await).unwrap();
    let mut rule = FaultRule::new(refused(503)).on("DELETE", "/v2/clientIdSecrets/*");
    rule.matcher.client_id = Some(other.client_id.clone());
    let outage = mount.astra.add_fault(rule).unwrap();
    let force = json!({"force": true});
    let deleted = mount.call(Operation::Delete, "config", force).await;
    let texts = warnings(deleted.unwrap());
    assert!(texts.concat().contains(&former), "{texts:?}");
    mount.astra.remove_fault(outage).unwrap();
    mount.advance(Duration::from_secs(3600));
    mount.tick().await;
    assert!(!mount.is_live(&former));
    assert!(mount.is_live(&other.client_id));
}

/// Astra knows a new token before `DELETE` does, and lists are behind by so many milliseconds.
fn hide_new_tokens(mount: &AstraMount, list_stale_ms: u32) {
    let knobs = json!({
        "create_visible_after_ms": 10_000, "create_visible_scope": "delete",
        "list_stale_ms": list_stale_ms,
    });
    mount.astra.set_knobs(knobs).unwrap();
}

#[test]
fn a_former_root_token_that_astra_does_not_show_yet_is_deleted_later() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        fall_behind_after_missed_deletions(&mount.astra);
        mount.mount().await;
        hide_new_tokens(&mount, 0);
        rotate(&mount).await.unwrap();
        let second = root_of(&mount).await;
        rotate(&mount).await.unwrap();
        assert!(mount.is_live(&second), "it was deleted at once");
        tokio::time::sleep(Duration::from_secs(60)).await;
        mount.tick().await;
        assert_eq!(mount.live(), [root_of(&mount).await]);
    });
}

#[test]
fn a_deleted_configs_root_token_that_astra_does_not_show_yet_is_deleted_later() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        hide_new_tokens(&mount, 10_000);
        rotate(&mount).await.unwrap();
        let minted = root_of(&mount).await;
        let force = json!({"force": true});
        let deleted = mount.call(Operation::Delete, "config", force);
        let texts = warnings(deleted.await.unwrap());
        assert!(texts.concat().contains(&minted), "{texts:?}");
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            mount.tick().await;
        }
        assert!(mount.live().is_empty());
    });
}

#[tokio::test]
async fn what_a_deleted_config_leaves_goes_with_a_later_tick() {
    let mut mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    mount.fault("DELETE", "/v2/clientIdSecrets/*", refused(503));
    let deleted = mount.call(Operation::Delete, "config", json!({})).await;
    let warnings = warnings(deleted.unwrap());
    assert!(warnings[0].contains("ticks try again"), "{warnings:?}");
    assert_eq!(mount.live().len(), 1);
    mount.restart();
    mount.astra.clear_faults();
    mount.tick().await;
    assert!(mount.live().is_empty());
    let keys = mount.storage.keys();
    assert!(
        keys.iter()
            .all(|key| !key.starts_with("v1/pending-deletion/")),
        "{keys:?}"
    );
}

/// An entry that a newer version wrote cannot be read, so it may be the one that uses the token.
#[tokio::test]
async fn what_the_config_of_a_newer_version_may_use_is_not_deleted() {
    let mut mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    let minted = root_of(&mount).await;
    let entry = mount.storage.get("v1/config/default").await.unwrap();
    let mut newer = entry.unwrap();
    newer.key = "v1/config/newer".to_owned();
    let mut stored: serde_json::Value = serde_json::from_slice(&newer.value).unwrap();
    stored["version"] = json!(99);
    newer.value = serde_json::to_vec(&stored).unwrap();
    mount.fault("DELETE", "/v2/clientIdSecrets/*", refused(503));
    let force = json!({"force": true});
    mount.delete("config", force).await.unwrap();
    mount.astra.clear_faults();
    mount.storage.put(newer).await.unwrap();
    mount.restart();
    mount.tick().await;
    assert!(mount.is_live(&minted));
    mount.storage.delete("v1/config/newer").await.unwrap();
    mount.restart();
    mount.tick().await;
    assert!(!mount.is_live(&minted));
}

#[tokio::test]
async fn a_401_that_is_not_astras_own_leaves_no_root_token() {
    for body in [
        FaultBody::Empty,
        FaultBody::Null,
        FaultBody::Envoy,
        FaultBody::BlockPage,
        FaultBody::String,
        FaultBody::Errors,
    ] {
        let mut mount = AstraMount::configured().await;
        rotate(&mount).await.unwrap();
        let minted = root_of(&mount).await;
        let foreign = Fault::Status {
            status: 401,
            body,
            retry_after: None,
            committed: false,
        };
        mount.astra.add_fault(FaultRule::new(foreign)).unwrap();
        let force = json!({"force": true});
        let deleted = mount.call(Operation::Delete, "config", force).await;
        let texts = warnings(deleted.unwrap());
        assert!(texts.iter().any(|text| text.contains(&minted)), "{texts:?}");
        mount.tick().await;
        mount.astra.clear_faults();
        mount.advance(Duration::from_secs(3_600));
        mount.tick().await;
        assert!(!mount.is_live(&minted), "{body:?}");
    }
}

#[tokio::test]
async fn a_root_token_that_astra_does_not_know_is_not_deleted_again() {
    let mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    mount.astra.revoke_token(&root_of(&mount).await).unwrap();
    let force = json!({"force": true});
    let deleted = mount.call(Operation::Delete, "config", force).await;
    deleted.unwrap();
    let keys = mount.storage.keys();
    let left = |key: &String| key.starts_with("v1/pending-deletion/");
    assert!(!keys.iter().any(left), "{keys:?}");
}

#[test]
fn a_tick_leaves_a_former_root_token_to_the_requests_that_use_it() {
    virtual_time::run(1, async {
        for ends in [true, false] {
            let mut mount = AstraMount::in_virtual_time(Deadlines::default());
            mount.mount().await;
            let first = root_of(&mount).await;
            let mut used = mount.backend.engine.configs.find("default").await.unwrap();
            let texts = warnings(rotate(&mount).await.unwrap());
            assert!(texts[0].contains("still run"), "{texts:?}");
            mount.tick().await;
            assert!(mount.is_live(&first));
            if ends {
                used.take();
            } else {
                // No request lasts so long.
                mount.advance(Duration::from_secs(60));
            }
            mount.tick().await;
            assert!(!mount.is_live(&first), "{ends}");
            drop(used);
        }
    });
}

/// The config `other` with the root token of `default`, as an older version allowed it.
async fn with_shared_root() -> AstraMount {
    let mut mount = AstraMount::configured().await;
    let storage = &mount.storage;
    let mut entry = storage.get("v1/config/default").await.unwrap().unwrap();
    entry.key = "v1/config/other".to_owned();
    storage.put(entry).await.unwrap();
    mount.restart();
    for config in ["default", "other"] {
        let role = json!({"astra_roles": READER, "config": config});
        mount.write(&format!("roles/{config}"), role).await.unwrap();
    }
    mount
}

#[tokio::test]
async fn a_root_token_that_another_config_has_stays() {
    let mount = with_shared_root().await;
    let mint = async || {
        for path in ["creds/default", "creds/other"] {
            mount.read_data(path).await;
        }
    };
    let shared = root_of(&mount).await;
    let texts = warnings(rotate(&mount).await.unwrap());
    let expected = "is not deleted, as config \"other\" has it too";
    assert!(texts[0].contains(expected), "{texts:?}");
    mint().await;
    for _ in 0..2 {
        mount.tick().await;
        mint().await;
    }
    assert!(mount.is_live(&shared));
    // Nothing else has it now.
    mount.write("rotate-root/other", json!({})).await.unwrap();
    assert!(!mount.is_live(&shared));
    mint().await;
}

#[tokio::test]
async fn what_a_deleted_config_leaves_stays_if_another_config_has_it() {
    let mount = with_shared_root().await;
    let shared = root_of(&mount).await;
    mount.fault(
        "DELETE",
        &format!("/v2/clientIdSecrets/{shared}"),
        refused(403),
    );
    rotate(&mount).await.unwrap();
    mount.astra.clear_faults();
    let force = json!({"force": true});
    mount
        .call(Operation::Delete, "config", force)
        .await
        .unwrap();
    mount.tick().await;
    mount.read_data("creds/other").await;
    assert!(mount.is_live(&shared));
}

#[tokio::test]
async fn another_config_of_the_organization_deletes_what_the_deleted_one_cannot() {
    let mut mount = AstraMount::configured().await;
    rotate(&mount).await.unwrap();
    let minted = root_of(&mount).await;
    let other = mount.astra.seeds().organizations[2].root_token.clone();
    let untried = json!({"token": other, "verify": false});
    mount.write("config", untried).await.unwrap();
    let force = json!({"force": true});
    let deleted = mount.call(Operation::Delete, "config", force).await;
    let texts = warnings(deleted.unwrap());
    assert!(texts.iter().any(|text| text.contains(&minted)), "{texts:?}");
    mount.tick().await;
    assert!(mount.is_live(&minted));
    let own = mount.config(json!({"token": mount.another_root_token()}));
    mount.write("config/second", own).await.unwrap();
    mount.advance(Duration::from_secs(3_600));
    mount.tick().await;
    assert!(!mount.is_live(&minted));
    let keys = mount.storage.keys();
    let left = |key: &String| key.starts_with("v1/pending-deletion/");
    assert!(!keys.iter().any(left), "{keys:?}");
}

/// A host that loses its leadership says that a deletion failed, and its cache shows the config still, but the
/// next one does not have it.
#[tokio::test]
async fn a_deletion_that_a_host_hides_leaves_no_root_token_and_kills_none_that_is_used() {
    for ticks_before in [false, true] {
        let mut mount = AstraMount::configured().await;
        rotate(&mount).await.unwrap();
        let root = root_of(&mount).await;
        mount.storage.set_write_fault(Some(WriteFault {
            prefix: "v1/config/".to_owned(),
            deletions: true,
            applied: true,
            hidden: true,
            once: true,
            ..WriteFault::default()
        }));
        assert!(mount.delete("config", json!({})).await.is_err());
        if ticks_before {
            mount.tick().await;
        }
        mount.storage.drop_cache();
        mount.restart();
        mount.tick().await;
        let has_config = mount.read("config").await.is_some();
        assert_eq!(has_config, ticks_before);
        assert_eq!(mount.is_live(&root), has_config);
    }
}

/// Two configs have the same root token in turn, and each leaves one that it replaced.
#[tokio::test]
async fn what_one_config_left_is_not_forgotten_when_another_one_leaves_more() {
    let mut mount = AstraMount::configured().await;
    let shared = mount.another_root_token();
    let fault = mount.fault("DELETE", "/v2/clientIdSecrets/*", refused(403));
    let mut minted = Vec::new();
    for name in ["first", "second"] {
        let path = format!("config/{name}");
        mount.write_config(name, &mount.another_root_token()).await;
        let rotate = format!("rotate-root/{name}");
        mount.write(&rotate, json!({})).await.unwrap();
        let read = mount.read_data(&path).await;
        minted.push(read["token_client_id"].as_str().unwrap().to_owned());
        let token = json!({"token": shared});
        mount.write(&path, token).await.unwrap();
        let force = json!({"force": true});
        mount.delete(&path, force).await.unwrap();
    }
    mount.astra.remove_fault(fault).unwrap();
    mount.advance(Duration::from_secs(3_601));
    mount.tick().await;
    for client_id in &minted {
        assert!(!mount.is_live(client_id), "{client_id} of {minted:?}");
    }
}
