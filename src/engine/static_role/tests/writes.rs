//! Writing, reading and patching static roles.

use super::DAY;
use super::creds;
use super::current;
use super::role;
use super::text;
use super::time_of;
use super::with_role;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::request;
use crate::engine::testing::warnings;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::FailureStatus;
use crate::vault::Operation;
use serde_json::Value;
use serde_json::json;

#[tokio::test]
async fn a_new_role_has_a_token_at_once() {
    let mount = with_role().await;
    let data = creds(&mount).await;
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "client_id",
            "client_secret",
            "expires_at",
            "last_vault_rotation",
            "org_id",
            "rotation_period",
            "token",
            "ttl"
        ]
    );
    let client_id = text(&data, "client_id");
    assert!(mount.is_live(client_id));
    assert!(text(&data, "token").starts_with(&format!("AstraCS:{client_id}:")));
    let ttl = data["ttl"].as_u64().unwrap();
    assert!((86_390..=86_400).contains(&ttl), "{ttl}");
    assert_eq!(data["rotation_period"], json!(86_400));
    let rotated = text(&data, "last_vault_rotation");
    assert_eq!(rotated.len(), "2026-11-23T12:00:00Z".len(), "{rotated}");
    // Two rotations, the overlap, and 90 days in which rotation may fail.
    let life = time_of(text(&data, "expires_at")) - time_of(rotated);
    assert!(
        (life - time::Duration::days(92) - time::Duration::HOUR).abs() < time::Duration::MINUTE
    );
    let token = mount.astra.token(client_id).unwrap();
    assert!(
        token.description.ends_with(" static-roles/app"),
        "{}",
        token.description
    );
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn what_is_read_can_be_written_back() {
    let mount = with_role().await;
    let before = mount.read_data("static-roles/app").await;
    assert_eq!(before["overlap"], json!(3600));
    assert_eq!(before["rotation_period"], json!(86_400));
    assert_eq!(before["rotation_schedule"], json!(""));
    assert_eq!(before["rotation_error"], json!(""));
    assert!(!before.contains_key("token") && !before.contains_key("client_secret"));
    mount
        .write("static-roles/app", Value::Object(before.clone()))
        .await
        .unwrap();
    assert_eq!(mount.read_data("static-roles/app").await, before);
    let list = mount
        .call(Operation::List, "static-roles/", json!({}))
        .await;
    let list = list.unwrap().unwrap();
    assert_eq!(list.data()["keys"], json!(["app"]));
    assert_eq!(
        list.data()["key_info"]["app"]["rotation_period"],
        json!(86_400)
    );
}

#[tokio::test]
async fn other_astra_roles_mean_another_token() {
    let mount = with_role().await;
    let first = current(&mount).await;
    let described = json!({"description": "nightly", "rotation_period": "12h"});
    mount
        .call(Operation::Patch, "static-roles/app", described)
        .await
        .unwrap();
    assert_eq!(current(&mount).await, first);
    let other = json!({"astra_roles": "API R/W User"});
    let refusal = mount.write("static-roles/app", other).await;
    assert!(refusal.is_ok(), "{:?}", refusal.err());
    let second = current(&mount).await;
    assert_ne!(second, first);
    let old = mount.astra.token(&first).unwrap().roles;
    let token = mount.astra.token(&second).unwrap();
    assert_ne!(token.roles, old);
    assert!(token.description.ends_with(" nightly"));
    let patch = mount
        .call(Operation::Patch, "static-roles/other", json!({}))
        .await;
    assert!(matches!(
        patch.err(),
        Some(Error::Status {
            status: FailureStatus::NOT_FOUND,
            ..
        })
    ));
}

#[tokio::test]
async fn a_changed_period_is_stored_and_counts_from_the_last_rotation() {
    let mount = with_role().await;
    let first = current(&mount).await;
    let shorter = json!({"rotation_period": "12h"});
    mount.patch("static-roles/app", shorter).await.unwrap();
    let read = mount.read_data("static-roles/app").await;
    assert_eq!(read["rotation_period"], json!(43_200));
    let rotated = time_of(text(&read, "last_vault_rotation"));
    let next = time_of(text(&read, "next_rotation"));
    assert_eq!(next - rotated, time::Duration::hours(12));
    assert_eq!(current(&mount).await, first);
}

/// A rotation that is due stays due, also when the role is written.
#[tokio::test]
async fn the_same_cron_schedule_written_again_moves_no_rotation() {
    let mut mount = AstraMount::configured().await;
    let with = |schedule: &str| json!({"astra_roles": READER, "rotation_schedule": schedule});
    mount
        .write("static-roles/app", with("30 3 * * *"))
        .await
        .unwrap();
    let next = async |mount: &AstraMount| {
        let read = mount.read_data("static-roles/app").await;
        time_of(text(&read, "next_rotation"))
    };
    let due = next(&mount).await;
    mount.advance(DAY * 2);
    let now = mount.backend.engine.clock.now();
    mount
        .write("static-roles/app", with("30 3 * * *"))
        .await
        .unwrap();
    assert_eq!(next(&mount).await, due);
    assert!(due < now);
    // Another one does not make up for times before it was set.
    mount
        .write("static-roles/app", with("30 4 * * *"))
        .await
        .unwrap();
    let moved = next(&mount).await;
    assert!(moved > now, "{moved}");
    assert_eq!((moved.hour(), moved.minute()), (4, 30));
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let mount = AstraMount::configured().await;
    let with = |key: &str, value: Value| {
        let mut role = role();
        role[key] = value;
        role
    };
    for (data, text) in [
        (
            json!({"astra_roles": READER}),
            "rotation_period or rotation_schedule is missing: give one of the two, for instance \
             rotation_period=24h",
        ),
        (
            json!({"rotation_period": 60}),
            "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead",
        ),
        (
            with("rotation_period", json!(10)),
            "rotation_period: 10s is out of range",
        ),
        (
            with("rotation_schedule", json!("0 0 * * *")),
            "rotation_period: 24h was given together with rotation_schedule",
        ),
        (
            with("overlap", json!("24h")),
            "overlap: 24h is not less than the time between two rotations, 24h: shorten overlap or \
             rotate less often",
        ),
        (
            with("astra_roles", json!("Not a Role")),
            "astra_roles: the organization has no role \"Not a Role\"; the nearest names are ",
        ),
        (
            with("astra_roles", json!("Organization Administrator")),
            "allow_token_admin=true",
        ),
        (
            with("config", json!("other")),
            "config \"other\" does not exist",
        ),
    ] {
        let refusal = mount.refusal("static-roles/app", data).await;
        assert!(refusal.contains(text), "{refusal}");
    }
    assert!(mount.live().is_empty());
    let read = mount
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let read = mount
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    mount.write("static-roles/app", role()).await.unwrap();
    let token = mount.another_root_token();
    mount
        .write("config/other", mount.config(json!({"token": &token})))
        .await
        .unwrap();
    let refusal = mount
        .refusal("static-roles/app", json!({"config": "other"}))
        .await;
    assert!(
        refusal.starts_with("config: \"other\" is not \"default\""),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_standby_serves_and_changes_nothing() {
    let mut mount = with_role().await;
    let before = creds(&mount).await;
    mount.set_standby(true);
    let asked = mount.all_requests();
    mount.advance(DAY * 2);
    mount.tick().await;
    assert_eq!(creds(&mount).await["token"], before["token"]);
    for (operation, path) in [
        (Operation::Update, "rotate-role/app"),
        (Operation::Update, "static-roles/app"),
        (Operation::Create, "static-roles/new"),
        (Operation::Delete, "static-roles/app"),
    ] {
        let outcome = mount.call(operation, path, json!({})).await;
        assert_eq!(outcome.err(), Some(Error::ReadOnly));
    }
    assert_eq!(mount.all_requests(), asked);
}

#[tokio::test]
async fn what_the_host_is_told_exists_is_what_can_be_read() {
    let mount = AstraMount::configured().await;
    let exists = async || {
        let asked = request(Operation::Update, "static-roles/app", json!({}));
        mount.backend.exists(asked).await.unwrap()
    };
    assert_eq!(exists().await, Some(false));
    mount.write("static-roles/app", role()).await.unwrap();
    assert_eq!(exists().await, Some(true));
    // Its tokens are still to be deleted, but the role is gone.
    mount.fault("DELETE", "*", super::refused());
    assert!(!super::delete(&mount).await.is_empty());
    assert_eq!(exists().await, Some(false));
}

#[tokio::test]
async fn a_new_role_takes_over_what_a_deleted_one_left_only_with_its_config() {
    let mount = with_role().await;
    mount
        .write_config("other", &mount.another_root_token())
        .await;
    mount.fault("DELETE", "*", super::refused());
    super::delete(&mount).await;
    let mut elsewhere = role();
    elsewhere["config"] = json!("other");
    let refusal = mount.refusal("static-roles/app", elsewhere).await;
    assert!(refusal.contains("give config=default"), "{refusal}");
    mount.astra.clear_faults();
    mount.write("static-roles/app", role()).await.unwrap();
    mount.tick().await;
    assert_eq!(mount.live(), [current(&mount).await]);
}

/// Clients that know no schedule read every five minutes: one that just missed a rotation reads a second time
/// within ten.
#[tokio::test]
async fn an_overlap_of_less_than_ten_minutes_is_told_with_a_schedule() {
    for (schedule, overlap, is_told) in [
        ("rotation_schedule", "10m", false),
        ("rotation_schedule", "599s", true),
        ("rotation_schedule", "302s", true),
        ("rotation_period", "60s", false),
    ] {
        let mount = AstraMount::configured().await;
        let value = if schedule == "rotation_period" {
            "24h"
        } else {
            "0 3 * * *"
        };
        let role = json!({"astra_roles": READER, "overlap": overlap, schedule: value});
        let texts = warnings(mount.write("static-roles/app", role).await.unwrap());
        let told = texts.iter().any(|text| text.contains("every five minutes"));
        assert_eq!(told, is_told, "{schedule} {overlap}: {texts:?}");
    }
}
