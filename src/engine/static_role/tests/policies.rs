//! The custom Astra role of a static role with a policy, through crashes and outages.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Role;
use astra_emulator::fault::FaultBody;
use serde_json::Value;
use serde_json::json;

use super::SHOWN_ONLY;
use super::current;
use super::delete;
use super::refused;
use super::text;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::until_hung;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

const ROLES: &str = "/v2/organizations/roles";
const ONE_ROLE: &str = "/v2/organizations/roles/*";

fn policy(action: &str) -> Value {
    json!({"resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": [action], "effect": "allow"})
}

fn with_policy(action: &str) -> Value {
    json!({"policy": policy(action), "rotation_period": "24h"})
}

async fn written() -> AstraMount {
    let mount = AstraMount::configured().await;
    write(&mount, with_policy("db-cql")).await;
    mount
}

async fn write(mount: &AstraMount, data: Value) {
    let written = mount.write("static-roles/app", data).await.unwrap();
    assert_eq!(warnings(written), Vec::<String>::new());
}

/// The custom roles that this mount keeps.
fn kept(mount: &AstraMount) -> Vec<Role> {
    let roles = mount.astra.roles(None).unwrap();
    let kept = roles
        .into_iter()
        .filter(|role| role.name.starts_with("vault-"));
    kept.collect()
}

fn notes(mount: &AstraMount) -> Vec<String> {
    let keys = mount.storage.keys();
    keys.into_iter()
        .filter(|key| key.contains("custom-role/"))
        .collect()
}

fn assert_none_left(mount: &AstraMount, what: &str) {
    assert_eq!(kept(mount), [], "{what}: custom roles");
    assert_eq!(notes(mount), Vec::<String>::new(), "{what}: notes");
}

#[tokio::test]
async fn a_policy_is_kept_in_step_and_goes_with_its_static_role() {
    let mount = written().await;
    let [role] = kept(&mount).try_into().unwrap();
    assert!(role.name.ends_with("-static-roles/app"), "{}", role.name);
    assert_eq!(role.policy.actions, ["db-cql"]);
    let description = &role.policy.description;
    assert!(
        description.ends_with(" Kept by Vault for static role app"),
        "{description}"
    );
    let token = current(&mount).await;
    let minted_with = mount.astra.token(&token).unwrap().roles;
    assert_eq!(minted_with, std::slice::from_ref(&role.id));
    let read = mount.read_data("static-roles/app").await;
    assert_eq!(read["policy"], policy("db-cql"));
    assert_eq!(read["astra_roles"], json!([]));
    assert_eq!(read["astra_role_ids"], json!([role.id]));

    // A change goes to the present token in place.
    write(&mount, json!({"policy": policy("db-rest").to_string()})).await;
    let [changed] = kept(&mount).try_into().unwrap();
    assert_eq!(changed.id, role.id);
    assert_eq!(changed.policy.actions, ["db-rest"]);
    assert_eq!(current(&mount).await, token);
    // And a rotation keeps the custom role.
    mount.write("rotate-role/app", json!({})).await.unwrap();
    let rotated = current(&mount).await;
    assert_ne!(rotated, token);
    assert_eq!(mount.astra.token(&rotated).unwrap().roles, [role.id]);

    assert_eq!(delete(&mount).await, Vec::<String>::new());
    assert!(mount.live().is_empty());
    assert_none_left(&mount, "deleted");
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn what_is_read_can_be_written_back() {
    let mount = written().await;
    let before = mount.read_data("static-roles/app").await;
    let written = mount.write("static-roles/app", Value::Object(before.clone()));
    assert_eq!(warnings(written.await.unwrap()), [SHOWN_ONLY]);
    assert_eq!(mount.read_data("static-roles/app").await, before);
    let text = json!({"policy": policy("db-cql").to_string()});
    write(&mount, text.clone()).await;
    let read = mount.read_data("static-roles/app").await;
    assert_eq!(read["policy"], text["policy"]);
    let list = mount
        .call(Operation::List, "static-roles/", json!({}))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(list.data()["key_info"]["app"]["has_policy"], json!(true));
}

#[tokio::test]
async fn a_role_and_a_static_role_of_one_name_have_a_custom_role_each() {
    let mount = written().await;
    let role = json!({"policy": policy("db-rest")});
    mount.write("roles/app", role).await.unwrap();
    assert_eq!(kept(&mount).len(), 2);
    mount
        .call(Operation::Delete, "roles/app", json!({}))
        .await
        .unwrap();
    mount.tick().await;
    let [left] = kept(&mount).try_into().unwrap();
    assert!(left.name.ends_with("-static-roles/app"));
    delete(&mount).await;
    assert_none_left(&mount, "both deleted");
}

#[tokio::test]
async fn a_policy_given_up_lasts_until_the_overlap_is_over() {
    let mut mount = written().await;
    let first = current(&mount).await;
    let patch = json!({"policy": null, "astra_roles": READER});
    mount
        .call(Operation::Patch, "static-roles/app", patch)
        .await
        .unwrap();
    let second = current(&mount).await;
    assert_ne!(second, first);
    let read = mount.read_data("static-roles/app").await;
    assert_eq!(read["policy"], json!(""));
    mount.tick().await;
    assert!(mount.is_live(&first));
    assert_eq!(kept(&mount).len(), 1, "the previous token needs it");
    mount.restart();
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert!(!mount.is_live(&first));
    assert_none_left(&mount, "after the overlap");

    // Without an overlap it goes at once, and going back makes another.
    write(&mount, with_policy("db-cql")).await;
    write(&mount, json!({"overlap": 0, "astra_roles": READER})).await;
    assert_none_left(&mount, "no overlap");
}

#[tokio::test]
async fn a_custom_role_given_up_is_not_taken_back_within_the_overlap() {
    let mut mount = written().await;
    let [role] = kept(&mount).try_into().unwrap();
    write(&mount, json!({"astra_roles": READER})).await;
    write(&mount, with_policy("db-rest")).await;
    // The first token keeps the rights that it was minted with.
    assert_eq!(kept(&mount).len(), 2);
    mount.tick().await;
    let first = kept(&mount).into_iter().find(|kept| kept.id == role.id);
    assert_eq!(first.unwrap().policy.actions, ["db-cql"]);
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    let [next] = kept(&mount).try_into().unwrap();
    assert_ne!(next.id, role.id);
    assert_eq!(next.policy.actions, ["db-rest"]);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_custom_role_given_up_waits_only_for_previous_tokens_that_hold_it() {
    let mut mount = written().await;
    let [first] = kept(&mount).try_into().unwrap();
    write(&mount, json!({"astra_roles": READER})).await;
    write(&mount, with_policy("db-rest")).await;
    mount.advance(Duration::from_secs(1800));
    // The overlap of a token with the second custom role begins before that of the first is over.
    mount.write("rotate-role/app", json!({})).await.unwrap();
    mount.tick().await;
    assert!(kept(&mount).iter().any(|role| role.id == first.id));
    mount.advance(Duration::from_secs(1801));
    mount.tick().await;
    let [second] = kept(&mount).try_into().unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(mount.live().len(), 2, "the second token overlaps");
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn an_outage_at_the_deletion_is_healed_by_the_tick() {
    let mut mount = written().await;
    mount.fault("DELETE", ONE_ROLE, refused());
    let texts = delete(&mount).await;
    assert!(texts[0].contains("could not be deleted yet"), "{texts:?}");
    mount.tick().await;
    assert_eq!(kept(&mount).len(), 1);
    mount.restart();
    mount.astra.clear_faults();
    mount.tick().await;
    assert_none_left(&mount, "after the outage");
}

#[tokio::test]
async fn a_mint_that_fails_leaves_no_custom_role_and_no_change_of_policy() {
    let mount = AstraMount::configured().await;
    mount.fault("POST", "/v2/clientIdSecrets", refused());
    let failed = mount.write("static-roles/app", with_policy("db-cql")).await;
    assert!(failed.is_err());
    mount.tick().await;
    assert_none_left(&mount, "a new static role");
    mount.astra.clear_faults();

    write(
        &mount,
        json!({"astra_roles": READER, "rotation_period": "24h"}),
    )
    .await;
    let token = current(&mount).await;
    mount.fault("POST", "/v2/clientIdSecrets", refused());
    let failed = mount.write("static-roles/app", with_policy("db-cql")).await;
    assert!(failed.is_err());
    mount.tick().await;
    assert_none_left(&mount, "a static role with Astra roles");
    assert_eq!(current(&mount).await, token);
}

#[tokio::test]
async fn a_custom_role_that_was_deleted_in_astra_is_made_again() {
    let mut mount = written().await;
    let [role] = kept(&mount).try_into().unwrap();
    let token = current(&mount).await;
    mount.astra.delete_role(&role.id).unwrap();
    // A write that fails after making it leaves none.
    mount.fault("POST", "/v2/clientIdSecrets", refused());
    let failed = mount.write("static-roles/app", with_policy("db-cql")).await;
    assert!(failed.is_err());
    // The update that found none is not on its way any more.
    mount.deadlines.late_create_window = Duration::ZERO;
    mount.restart();
    mount.tick().await;
    assert_none_left(&mount, "the write failed");
    mount.astra.clear_faults();

    write(&mount, with_policy("db-cql")).await;
    let [again] = kept(&mount).try_into().unwrap();
    let read = mount.read_data("static-roles/app").await;
    assert_eq!(read["astra_role_ids"], json!([again.id]));
    let second = current(&mount).await;
    assert_ne!(second, token);
    assert_eq!(mount.astra.token(&second).unwrap().roles, [again.id]);
    // Until then the previous token may have it.
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert_eq!(kept(&mount).len(), 1);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_config_that_is_gone_is_named_as_the_one_to_clean() {
    let mount = written().await;
    mount
        .call(Operation::Delete, "config", json!({"force": true}))
        .await
        .unwrap();
    let [role] = kept(&mount).try_into().unwrap();
    let token = mount.live()[0].clone();
    let texts = delete(&mount).await;
    assert_eq!(
        texts,
        [
            format!(
                "config \"default\" is gone, so the static role's tokens are not deleted yet: a tick \
                 deletes them once the config is written again; otherwise delete those with client \
                 ids {token} in Astra, then the static role with force=true"
            ),
            format!(
                "config \"default\" does not exist, so the custom Astra role with id {} stays in its \
                 organization: a tick deletes it once the config is written again; otherwise delete \
                 it in Astra",
                role.id
            )
        ]
    );
    // Who did not get the answer asks again.
    assert_eq!(delete(&mount).await, texts[..1]);
    let read = mount.call(Operation::Read, "static-roles/app", json!({}));
    assert!(read.await.unwrap().is_none());
    mount.tick().await;
    assert_eq!(mount.live(), [token]);
    let config = mount.config(json!({}));
    mount.write("config", config).await.unwrap();
    mount.tick().await;
    assert_none_left(&mount, "the config is back");
    assert_eq!(notes(&mount), Vec::<String>::new());
    let keys = mount.storage.keys();
    assert!(!keys.iter().any(|key| key.starts_with("v1/static-role/")));
}

#[tokio::test]
async fn what_a_deleted_static_role_left_is_given_up_with_force_once_its_config_is_gone() {
    let mount = written().await;
    mount
        .call(Operation::Delete, "config", json!({"force": true}))
        .await
        .unwrap();
    delete(&mount).await;
    let other = &mount.astra.seeds().organizations[1];
    let other = mount.config(json!({"token": other.root_token}));
    mount.write("config/other", other).await.unwrap();
    let elsewhere = json!({"config": "other", "astra_roles": READER, "rotation_period": 3600});
    assert_eq!(
        mount.refusal("static-roles/app", elsewhere.clone()).await,
        "static role \"app\" was deleted, but its tokens are not yet: wait until the host's ticks \
         have deleted them, or give config=default; where that config is gone, delete the static \
         role with force=true first"
    );
    let token = &mount.live()[0];
    let forced = json!({"force": true});
    let forced = mount.call(Operation::Delete, "static-roles/app", forced);
    assert_eq!(
        forced.await.unwrap().unwrap().warnings(),
        [format!(
            "config \"default\" is gone, so the static role's tokens cannot be deleted: delete \
             those with client ids {token} in Astra, or wait until they expire"
        )]
    );
    mount.write("static-roles/app", elsewhere).await.unwrap();
}

/// What must hold after a tick: Astra has just what storage says.
async fn assert_in_step(mount: &mut AstraMount, what: &str) {
    mount.astra.clear_faults();
    // No update is on its way any more.
    mount.deadlines.late_create_window = Duration::ZERO;
    mount.restart();
    mount.tick().await;
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    let read = mount
        .call(Operation::Read, "static-roles/app", json!({}))
        .await
        .unwrap();
    let Some(read) = read else {
        assert!(mount.live().is_empty(), "{what}");
        // A create may still take effect, unless a custom role was found.
        assert_eq!(kept(mount), [], "{what}");
        return;
    };
    let read = read.data().clone();
    assert_eq!(mount.live(), [text(&read, "client_id")], "{what}");
    if read["policy"] == json!("") {
        assert_none_left(mount, what);
        return;
    }
    let [role] = kept(mount).try_into().unwrap();
    assert_eq!(read["astra_role_ids"], json!([role.id]), "{what}");
    assert_eq!(
        read["policy"]["actions"],
        json!(role.policy.actions),
        "{what}"
    );
    assert_eq!(notes(mount), Vec::<String>::new(), "{what}");
}

#[tokio::test]
async fn whichever_write_fails_or_never_returns_custom_roles_come_in_step() {
    for (before, operation, after) in [
        (None, Operation::Update, with_policy("db-cql")),
        (Some("db-rest"), Operation::Update, with_policy("db-cql")),
        (
            Some("db-rest"),
            Operation::Update,
            json!({"astra_roles": READER}),
        ),
        (Some("db-rest"), Operation::Delete, json!({})),
    ] {
        for prefix in ["v1/static-custom-role/", "v1/static-role/", "v1/intent/"] {
            for (written, hangs) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut mount = AstraMount::configured().await;
                if let Some(action) = before {
                    write(&mount, with_policy(action)).await;
                }
                mount.storage.set_write_fault(Some(WriteFault {
                    prefix: prefix.to_owned(),
                    applied: written,
                    hangs,
                    ..WriteFault::default()
                }));
                let work = mount.call(operation.clone(), "static-roles/app", after.clone());
                until_hung(&mount.storage, work).await;
                let what = format!("{before:?} {operation:?} {after}: {prefix} {written} {hangs}");
                assert_in_step(&mut mount, &what).await;
            }
        }
    }
}

/// A 404 of something in front of Astra says nothing of a custom role that lists show.
#[test]
fn a_custom_role_that_is_said_to_be_unknown_gets_the_stored_policy_once_it_can() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        write(&mount, with_policy("db-rest")).await;
        // The process dies after Astra has the new policy, before it is stored.
        mount.storage.set_write_fault(Some(WriteFault {
            prefix: "v1/static-role/".to_owned(),
            hangs: true,
            ..WriteFault::default()
        }));
        let work = mount.write("static-roles/app", with_policy("db-cql"));
        until_hung(&mount.storage, work).await;
        mount.storage.set_write_fault(None);
        assert_eq!(kept(&mount)[0].policy.actions, ["db-cql"]);
        mount.restart();
        for body in [FaultBody::Envoy, FaultBody::Html, FaultBody::Empty] {
            let unknown = Fault::Status {
                status: 404,
                body,
                retry_after: None,
                committed: false,
            };
            mount.fault("PUT", ONE_ROLE, unknown);
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(60)).await;
                mount.tick().await;
            }
            mount.astra.clear_faults();
        }
        mount.tick().await;
        assert_eq!(
            kept(&mount)[0].policy.actions,
            ["db-rest"],
            "as it is stored"
        );
        // Deleted for good, it is waited for no longer.
        mount.astra.delete_role(&kept(&mount)[0].id).unwrap();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            mount.tick().await;
        }
        assert_eq!(notes(&mount), Vec::<String>::new());
    });
}

#[tokio::test]
async fn whichever_request_about_roles_fails_custom_roles_come_in_step() {
    for (method, path) in [
        ("GET", ROLES),
        ("POST", ROLES),
        ("PUT", ONE_ROLE),
        ("DELETE", ONE_ROLE),
    ] {
        for fault in [refused(), Fault::ResetAfterCommit {}] {
            for (before, after) in [
                (None, with_policy("db-cql")),
                (Some("db-rest"), with_policy("db-cql")),
                (Some("db-rest"), json!({"astra_roles": READER})),
            ] {
                let mut mount = AstraMount::configured().await;
                if let Some(action) = before {
                    write(&mount, with_policy(action)).await;
                }
                let rule = FaultRule::new(fault.clone()).on(method, path).times(1);
                mount.astra.add_fault(rule).unwrap();
                let done = mount.write("static-roles/app", after.clone()).await;
                let what = format!(
                    "{method} {} {before:?} {after}: {:?}",
                    fault.kind(),
                    done.err()
                );
                assert_in_step(&mut mount, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_rotation_tells_that_the_custom_role_is_gone_and_what_to_do() {
    let mount = written().await;
    let [role] = kept(&mount).try_into().unwrap();
    let token = current(&mount).await;
    mount.astra.delete_role(&role.id).unwrap();
    let failed = mount.write("rotate-role/app", json!({})).await;
    let failed = failed.err().unwrap().to_string();
    let expected = format!(
        "static role \"app\": policy: its custom Astra role ({}) is no longer in the organization: \
         write the role again with its policy to make it again (",
        role.id
    );
    assert!(failed.contains(&expected), "{failed}");
    let shown = mount.read_data("static-roles/app").await;
    assert!(
        text(&shown, "rotation_error").contains(&expected),
        "{shown:?}"
    );
    assert_eq!(current(&mount).await, token, "the present token stays");
    // What it says to do helps.
    write(&mount, with_policy("db-cql")).await;
    assert_ne!(current(&mount).await, token);
    assert_eq!(kept(&mount).len(), 1);
}
