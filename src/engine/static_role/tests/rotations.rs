//! Replacing the tokens of static roles: on schedule, by hand, and when it fails.

use serde_json::json;
use std::time::Duration;

use super::DAY;
use super::creds;
use super::current;
use super::delete;
use super::refused;
use super::role;
use super::text;
use super::time_of;
use super::with_role;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::until_hung;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Storage;
use crate::vault::memory::WriteFault;

#[tokio::test]
async fn a_token_is_replaced_when_due_and_the_previous_lives_on_for_the_overlap() {
    let mut mount = with_role().await;
    let first = current(&mount).await;
    mount.advance(DAY - Duration::from_secs(30));
    mount.tick().await;
    assert_eq!(current(&mount).await, first);
    mount.advance(Duration::from_secs(31));
    // Due, and the tick has not come: never 0.
    assert!(creds(&mount).await["ttl"].as_u64().unwrap() >= 1);
    mount.tick().await;
    let second = current(&mount).await;
    assert_ne!(second, first);
    assert!(mount.is_live(&first));
    mount.advance(Duration::from_secs(3599));
    mount.tick().await;
    assert!(mount.is_live(&first));
    mount.advance(Duration::from_secs(2));
    mount.tick().await;
    assert!(!mount.is_live(&first));
    assert_eq!(mount.live(), [second]);
    mount.restart();
    mount.tick().await;
    assert_eq!(mount.live().len(), 1);
}

#[tokio::test]
async fn a_cron_schedule_is_kept() {
    let mut mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER, "rotation_schedule": "30 3 * * *"});
    mount.write("static-roles/app", role).await.unwrap();
    let data = creds(&mount).await;
    assert_eq!(data["rotation_schedule"], json!("30 3 * * *"));
    assert!(!data.contains_key("rotation_period"));
    let next = mount.read_data("static-roles/app").await;
    let next = time_of(text(&next, "next_rotation"));
    assert_eq!((next.hour(), next.minute(), next.second()), (3, 30, 0));
    let first = current(&mount).await;
    let ttl = data["ttl"].as_u64().unwrap();
    mount.advance(Duration::from_secs(ttl + 1));
    mount.tick().await;
    assert_ne!(current(&mount).await, first);
}

#[tokio::test]
async fn rotating_by_hand_works_and_does_not_pile_up_tokens() {
    let mount = with_role().await;
    let first = current(&mount).await;
    let rotated = mount.write("rotate-role/app", json!({})).await.unwrap();
    assert!(warnings(rotated).is_empty());
    assert_ne!(current(&mount).await, first);
    assert!(mount.is_live(&first));
    for _ in 0..20 {
        mount.write("rotate-role/app", json!({})).await.unwrap();
    }
    assert_eq!(mount.live().len(), 1 + 8);
    let text = mount.refusal("rotate-role/other", json!({})).await;
    assert_eq!(
        text,
        "static role \"other\" does not exist: write it first, at static-roles/other"
    );
}

#[tokio::test]
async fn no_overlap_deletes_at_once() {
    let mount = with_role().await;
    mount
        .write("static-roles/app", json!({"overlap": 0}))
        .await
        .unwrap();
    mount.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(mount.live(), [current(&mount).await]);
}

#[tokio::test]
async fn a_failing_rotation_keeps_the_token_backs_off_and_tells_why() {
    let mut mount = with_role().await;
    let first = current(&mount).await;
    mount.fault("POST", "/v2/clientIdSecrets", refused());
    mount.advance(DAY);
    let before = mount.all_requests();
    for _ in 0..130 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
        assert!(creds(&mount).await["ttl"].as_u64().unwrap() >= 1);
    }
    let journal = mount.astra.journal();
    let tries = journal[before..]
        .iter()
        .filter(|entry| entry.method == "POST")
        .count();
    assert!((7..=9).contains(&tries), "{tries}");
    assert_eq!(current(&mount).await, first);
    let read = mount.read_data("static-roles/app").await;
    assert!(text(&read, "rotation_error").contains("cannot mint a token"));
    assert!(time_of(text(&read, "next_rotation")) > mount.backend.engine.clock.now());
    let ttl = creds(&mount).await["ttl"].as_u64().unwrap();
    assert!((60..=3600).contains(&ttl), "{ttl}");
    mount.astra.clear_faults();
    mount.advance(Duration::from_secs(3600));
    mount.tick().await;
    assert_ne!(current(&mount).await, first);
    assert_eq!(
        mount.read_data("static-roles/app").await["rotation_error"],
        json!("")
    );
}

#[tokio::test]
async fn clearing_up_and_root_rotation_leave_static_tokens_alone() {
    // The process dies when the role is stored and the intent of its token is not marked yet.
    let mut mount = AstraMount::configured().await;
    mount.storage.set_write_fault(Some(WriteFault {
        prefix: "v1/intent/".to_owned(),
        after: 1,
        applied: false,
        hangs: true,
        ..WriteFault::default()
    }));
    until_hung(&mount.storage, mount.write("static-roles/app", role())).await;
    mount.restart();
    let client_id = current(&mount).await;
    assert!(mount.is_live(&client_id));
    mount.tick().await;
    assert!(mount.is_live(&client_id), "its intent is not marked");
    mount.write("rotate-root", json!({})).await.unwrap();
    mount.tick().await;
    mount.restart();
    mount.tick().await;
    mount.write("tidy", json!({})).await.unwrap();
    assert!(mount.is_live(&client_id));
    mount.advance(DAY);
    mount.tick().await;
    assert_ne!(current(&mount).await, client_id);
}

#[tokio::test]
async fn an_organization_with_a_shorter_maximum_is_rotated_for_in_time() {
    let mut mount = AstraMount::configured().await;
    for mode in ["refuse", "clamp"] {
        let knobs = json!({"org_max_token_expiry_s": 40_000, "org_max_token_expiry_mode": mode});
        mount.astra.set_knobs(knobs).unwrap();
        let written = mount.write("static-roles/app", role()).await.unwrap();
        let texts = warnings(written);
        assert!(
            texts[0].contains("maximum token expiry"),
            "{mode}: {texts:?}"
        );
        let first = current(&mount).await;
        let ttl = creds(&mount).await["ttl"].as_u64().unwrap();
        assert!((29_000..=30_000).contains(&ttl), "{mode}: {ttl}");
        mount.advance(Duration::from_secs(ttl + 1));
        mount.tick().await;
        assert_ne!(current(&mount).await, first);
        assert!(mount.is_live(&current(&mount).await));
        assert!(delete(&mount).await.is_empty());
    }
}

#[tokio::test]
async fn a_tick_tends_many_roles() {
    let mut mount = AstraMount::configured().await;
    for n in 0..80 {
        mount
            .write(&format!("static-roles/app{n}"), role())
            .await
            .unwrap();
    }
    let before = mount.live();
    mount.advance(DAY);
    mount.tick().await;
    // Sixty-four per tick.
    assert_eq!(mount.live().len(), 80 + 64);
    mount.tick().await;
    assert_eq!(mount.live().len(), 160);
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    mount.tick().await;
    let after = mount.live();
    assert_eq!(after.len(), 80);
    assert!(after.iter().all(|token| !before.contains(token)));
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_handed_out() {
    let mut mount = AstraMount::configured().await;
    let knobs = json!({"org_max_token_expiry_s": 1_000, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    mount.write("static-roles/app", role()).await.unwrap();
    let first = current(&mount).await;
    mount.fault("POST", "/v2/clientIdSecrets", refused());
    for _ in 0..18 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
    }
    let read = mount
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    let error = read.err().unwrap();
    let Error::Status { status, message } = error else {
        panic!("{error:?}");
    };
    assert_eq!(status.code(), 503);
    assert!(
        message.starts_with("static role \"app\": its token ended at "),
        "{message}"
    );
    assert!(message.contains("cannot mint a token"), "{message}");
    // The wait for the next try is a minute at most by now.
    mount.astra.clear_faults();
    mount.advance(Duration::from_secs(60));
    mount.tick().await;
    assert_ne!(current(&mount).await, first);
}

#[tokio::test]
async fn a_token_that_restored_storage_names_is_replaced_if_it_is_gone() {
    let mut mount = AstraMount::configured().await;
    let mut role = role();
    role["overlap"] = 0.into();
    mount.write("static-roles/app", role).await.unwrap();
    let storage = &mount.storage;
    let before = storage.get("v1/static-role/app").await.unwrap().unwrap();
    mount.write("rotate-role/app", json!({})).await.unwrap();
    mount.advance(Duration::from_secs(1));
    mount.tick().await;
    let rotated = current(&mount).await;
    mount.storage.put(before).await.unwrap();
    mount.restart();
    assert!(!mount.is_live(&current(&mount).await));
    for _ in 0..2 {
        mount.advance(Duration::from_secs(121));
        mount.tick().await;
    }
    let replaced = current(&mount).await;
    assert!(mount.is_live(&replaced));
    assert_ne!(replaced, rotated);
    // One that is listed stays.
    mount.advance(Duration::from_secs(121));
    mount.tick().await;
    assert_eq!(current(&mount).await, replaced);
}

#[tokio::test]
async fn an_overlap_that_cannot_be_kept_is_told() {
    let mount = AstraMount::configured().await;
    let knobs = json!({"org_max_token_expiry_s": 1_000, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    let mut long = role();
    long["overlap"] = "12h".into();
    let texts = warnings(mount.write("static-roles/app", long).await.unwrap());
    let told =
        "overlap: the organization ends tokens so soon that the previous token lives on for 8m";
    assert!(texts.iter().any(|text| text.starts_with(told)), "{texts:?}");
    assert!(
        texts.iter().any(|text| text.ends_with("not 12h")),
        "{texts:?}"
    );
    // Half of the life is for the overlap.
    let ttl = creds(&mount).await["ttl"].as_u64().unwrap();
    assert!((400..=500).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_default_overlap_that_cannot_be_kept_is_told() {
    let mount = AstraMount::configured().await;
    let knobs = json!({"org_max_token_expiry_s": 3_600, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    let texts = warnings(mount.write("static-roles/app", role()).await.unwrap());
    let told = "lives on for 15m after a rotation, not 1h";
    assert!(texts.iter().any(|text| text.ends_with(told)), "{texts:?}");
    let knobs = json!({"org_max_token_expiry_s": 36_000, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    let texts = warnings(mount.write("rotate-role/app", json!({})).await.unwrap());
    assert!(
        !texts.iter().any(|text| text.starts_with("overlap")),
        "it is kept: {texts:?}"
    );
}

#[tokio::test]
async fn more_rotations_than_the_overlap_can_hold_are_told() {
    let mount = with_role().await;
    let first = current(&mount).await;
    for _ in 0..8 {
        let written = mount.write("rotate-role/app", json!({})).await.unwrap();
        assert_eq!(warnings(written), Vec::<String>::new());
    }
    assert!(mount.is_live(&first));
    let texts = warnings(mount.write("rotate-role/app", json!({})).await.unwrap());
    assert!(
        texts[0].contains("more than 8 times within its overlap"),
        "{texts:?}"
    );
    assert!(!mount.is_live(&first));
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end_although_the_clock_was_ahead_when_it_was_made() {
    const AHEAD: Duration = Duration::from_secs(3 * 3_600);
    let mut mount = AstraMount::configured().await;
    let org_id = mount.astra.seeds().organizations[0].id.clone();
    let capped = json!({"rewrite_expiry": {"life_s": 800}});
    mount.astra.set_org_knobs(&org_id, capped).unwrap();
    mount.restart_ahead(AHEAD);
    mount.write("static-roles/app", role()).await.unwrap();
    let first = current(&mount).await;
    mount.restart_with_clock_set_back(AHEAD);
    for _ in 0..9 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
    }
    // Not before it has to be.
    assert_eq!(current(&mount).await, first);
    mount.advance(Duration::from_secs(120));
    // What a list showed counts by the time of this process, which the mount does not advance.
    mount.restart();
    mount.tick().await;
    let second = current(&mount).await;
    assert_ne!(second, first);
    assert!(mount.is_live(&second) && mount.is_live(&first));
}

#[tokio::test]
async fn a_rotation_into_another_organization_is_told() {
    let mount = with_role().await;
    let former = current(&mount).await;
    let within = mount.write("rotate-role/app", json!({})).await.unwrap();
    assert!(warnings(within).is_empty());
    let kept = current(&mount).await;
    assert_ne!(kept, former);
    let seeds = mount.astra.seeds();
    let other = &seeds.organizations[2];
    let moved = json!({"token": other.root_token, "force": true});
    mount.write("config", moved).await.unwrap();
    let rotated = mount.write("rotate-role/app", json!({})).await.unwrap();
    let told = warnings(rotated);
    let named = |text: &str| told.iter().any(|warning| warning.contains(text));
    assert!(named(&kept) && named(&other.id), "{told:?}");
    assert_eq!(text(&creds(&mount).await, "org_id"), other.id);
    let again = mount.write("rotate-role/app", json!({})).await.unwrap();
    assert!(warnings(again).is_empty());
}
