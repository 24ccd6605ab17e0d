//! Replacing the root token on a schedule.

use astra_emulator::PortalToken;
use serde_json::json;
use std::time::Duration;

use super::refused;
use super::root_of;
use super::rotate;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::warnings;
use crate::vault::Operation;

#[tokio::test]
async fn a_period_rotates_and_can_be_suspended() {
    let mut mount = AstraMount::configured().await;
    let first = root_of(&mount).await;
    mount
        .write("config", json!({"rotation_period": "1h"}))
        .await
        .unwrap();
    let config = mount.read_data("config").await;
    assert_eq!(config["rotation_period"], json!(3600));
    assert_eq!(config["rotation_schedule"], json!(""));
    mount.tick().await;
    assert_eq!(root_of(&mount).await, first);
    mount.advance(Duration::from_secs(3590));
    mount.tick().await;
    assert_eq!(root_of(&mount).await, first);
    mount.advance(Duration::from_secs(11));
    mount.tick().await;
    let second = root_of(&mount).await;
    assert_ne!(second, first);
    assert!(!mount.is_live(&first));
    let suspended = json!({"disable_automated_rotation": true});
    mount
        .call(Operation::Patch, "config", suspended)
        .await
        .unwrap();
    mount.advance(Duration::from_secs(7200));
    mount.tick().await;
    assert_eq!(root_of(&mount).await, second);
    let config = mount.read_data("config").await;
    assert_eq!(config["next_rotation"], json!(""));
    assert_eq!(config["disable_automated_rotation"], json!(true));
    assert_eq!(config["rotation_period"], json!(3600));
}

/// What the clock said when the token was stored tells nothing once it was set back: the token, which lasts
/// for 800 s here, would be thought to last for three hours more.
#[tokio::test]
async fn a_token_that_was_stored_by_a_clock_that_was_ahead_is_replaced_at_once() {
    const AHEAD: Duration = Duration::from_secs(3 * 3_600);
    let mut mount = AstraMount::configured().await;
    let org_id = mount.astra.seeds().organizations[0].id.clone();
    let capped = json!({"rewrite_expiry": {"life_s": 800}});
    mount.astra.set_org_knobs(&org_id, capped).unwrap();
    mount.restart_ahead(AHEAD);
    rotate(&mount).await.unwrap();
    let first = root_of(&mount).await;
    mount.tick().await;
    assert_eq!(root_of(&mount).await, first);
    mount.restart_with_clock_set_back(AHEAD);
    // It fails at first, and is tried again with each tick, as the end may be near.
    let fault = mount.fault("POST", "/v2/clientIdSecrets", refused(403));
    for _ in 0..4 {
        mount.tick().await;
        mount.advance(Duration::from_secs(61));
    }
    mount.astra.remove_fault(fault).unwrap();
    assert_eq!(root_of(&mount).await, first);
    mount.tick().await;
    let second = root_of(&mount).await;
    assert_ne!(second, first);
    assert!(mount.is_live(&second));
    mount.tick().await;
    assert_eq!(root_of(&mount).await, second, "once is enough");
}

#[tokio::test]
async fn a_token_that_was_stored_by_a_clock_that_is_a_little_ahead_is_not_replaced() {
    const AHEAD: Duration = Duration::from_secs(30);
    let mut mount = AstraMount::configured().await;
    mount.restart_ahead(AHEAD);
    let period = json!({"rotation_period": "1h"});
    mount.write("config", period).await.unwrap();
    rotate(&mount).await.unwrap();
    let first = root_of(&mount).await;
    mount.restart_with_clock_set_back(AHEAD);
    mount.tick().await;
    assert_eq!(root_of(&mount).await, first);
}

#[tokio::test]
async fn a_failing_rotation_backs_off_and_tells_why() {
    let mut mount = AstraMount::configured().await;
    let first = root_of(&mount).await;
    mount
        .write("config", json!({"rotation_schedule": "* * * * *"}))
        .await
        .unwrap();
    mount.fault("POST", "/v2/clientIdSecrets", refused(403));
    let mut tries = 0;
    for _ in 0..130 {
        mount.advance(Duration::from_secs(60));
        let before = mount.all_requests();
        mount.tick().await;
        let posts = mount.astra.journal();
        tries += posts[before..]
            .iter()
            .filter(|entry| entry.method == "POST")
            .count();
    }
    // After 0, 1, 3, 7, 15, 31, 63 and 123 minutes.
    assert!((7..=9).contains(&tries), "{tries}");
    let config = mount.read_data("config").await;
    let last_error = config["rotation_error"].as_str().unwrap();
    assert!(last_error.contains("cannot mint a token"), "{last_error}");
    assert_eq!(root_of(&mount).await, first);
    mount.astra.clear_faults();
    mount.advance(Duration::from_secs(3600));
    mount.tick().await;
    assert_ne!(root_of(&mount).await, first);
    assert_eq!(mount.read_data("config").await["rotation_error"], json!(""));
    let keys = mount.storage.keys();
    assert!(!keys.iter().any(|key| key.starts_with("v1/rotation/")));
}

#[tokio::test]
async fn bad_settings_are_refused_and_change_nothing() {
    let mount = AstraMount::configured().await;
    let before = mount.read_data("config").await;
    for (data, text) in [
        (
            json!({"rotation_period": 59}),
            "rotation_period: 59s is out of range: give 1m or more, up to 100 years",
        ),
        (json!({"rotation_period": "101y"}), "rotation_period"),
        (
            json!({"rotation_period": 60, "rotation_schedule": "0 0 * * *"}),
            "rotation_period: 1m was given together with rotation_schedule: give one of the two",
        ),
        (
            json!({"rotation_schedule": "@daily"}),
            "rotation_schedule: \"@daily\" is not a schedule: it has 1 fields; give a cron \
             expression of five fields in UTC (minute, hour, day of month, month, day of week), \
             for instance \"0 3 * * SAT\"",
        ),
        (
            json!({"rotation_schedule": "61 0 * * *"}),
            "rotation_schedule: \"61 0 * * *\" is not a schedule: ",
        ),
    ] {
        let refusal = mount.refusal("config", data).await;
        assert!(refusal.contains(text), "{refusal}");
    }
    assert_eq!(mount.read_data("config").await, before);
    // One of the two replaces the other; empty takes it back.
    mount
        .write("config", json!({"rotation_period": 3600}))
        .await
        .unwrap();
    mount
        .write("config", json!({"rotation_schedule": "0 3 * * SAT"}))
        .await
        .unwrap();
    let config = mount.read_data("config").await;
    assert_eq!(config["rotation_period"], json!(0));
    assert_eq!(config["rotation_schedule"], json!("0 3 * * SAT"));
    mount
        .write("config", json!({"rotation_period": 0}))
        .await
        .unwrap();
    assert_eq!(
        mount.read_data("config").await["rotation_schedule"],
        json!("0 3 * * SAT")
    );
    mount
        .write("config", json!({"rotation_schedule": ""}))
        .await
        .unwrap();
    assert_eq!(
        mount.read_data("config").await["rotation_schedule"],
        json!("")
    );
}

#[tokio::test]
async fn a_root_token_is_rotated_before_it_ends() {
    let mut mount = AstraMount::configured().await;
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let ending = PortalToken {
        roles,
        expires_in_s: Some(1_000),
        ..PortalToken::default()
    };
    let token = mount.astra.create_token(ending).unwrap().token;
    let texts = warnings(
        mount
            .write("config", mount.config(json!({"token": &token})))
            .await
            .unwrap(),
    );
    assert!(texts[0].contains("nothing replaces it before"), "{texts:?}");
    let status = mount.read_data("status").await;
    assert!(status["configs"]["default"]["root_expires_at"].is_string());
    let told = |response| warnings(response).join("; ");
    for (path, beginning) in [
        ("status/default", "the root token ends at "),
        ("status", "config \"default\": the root token ends at "),
    ] {
        let read = mount.call(Operation::Read, path, json!({})).await.unwrap();
        let told = told(read);
        assert!(told.starts_with(beginning), "{path}: {told}");
    }
    // One that nothing is to replace stays, also where its end is near.
    let first = root_of(&mount).await;
    let day = json!({"rotation_period": "24h"});
    let texts = warnings(mount.write("config", day).await.unwrap());
    assert!(
        texts[0].contains("before the rotation that is scheduled for"),
        "{texts:?}"
    );
    mount.advance(Duration::from_secs(700));
    mount.tick().await;
    assert_eq!(root_of(&mount).await, first);
    mount.advance(Duration::from_secs(60));
    mount.tick().await;
    let second = root_of(&mount).await;
    assert_ne!(second, first);
    // What rotation minted is rotated in time without a schedule too.
    let none = json!({"rotation_period": 0});
    mount.write("config", none).await.unwrap();
    mount.advance(Duration::from_secs(760));
    mount.tick().await;
    assert_ne!(root_of(&mount).await, second);
    let role = json!({"astra_roles": READER});
    mount.write("roles/reader", role).await.unwrap();
    mount.read_data("creds/reader").await;
}

/// When a root token ends Astra's clock tells, and when it is due this node's: one is three hours ahead.
#[tokio::test]
async fn a_root_token_is_rotated_before_it_ends_however_the_clocks_differ() {
    const DIFFERENCE: Duration = Duration::from_secs(3 * 3_600);
    for is_ahead in [false, true] {
        let mut mount = AstraMount::configured().await;
        // A node that is behind asks for an end in the past, and gets the longest life instead.
        let longest = json!({"org_max_token_expiry_s": 3_600});
        mount.astra.set_knobs(longest).unwrap();
        match is_ahead {
            true => mount.restart_ahead(DIFFERENCE),
            false => mount.astra.advance_clock(DIFFERENCE),
        }
        let ending = PortalToken {
            roles: mount.astra.seeds().tokens["org_admin"].roles.clone(),
            expires_in_s: Some(3_600),
            ..PortalToken::default()
        };
        let first = mount.astra.create_token(ending).unwrap();
        mount.write_config("default", &first.token).await;
        let day = json!({"rotation_period": "24h"});
        mount.patch("config", day).await.unwrap();
        let mut minutes = 0;
        mount.tick().await;
        while root_of(&mount).await == first.client_id {
            assert!(mount.is_live(&first.client_id), "ahead: {is_ahead}");
            mount.advance(Duration::from_secs(60));
            mount.tick().await;
            minutes += 1;
        }
        // A quarter of its life before its end.
        assert!((44..=46).contains(&minutes), "ahead: {is_ahead}: {minutes}");
    }
}

#[tokio::test]
async fn no_rotation_takes_a_token_that_ends_before_the_next_tick_for_certain() {
    let mut mount = AstraMount::configured().await;
    let first = root_of(&mount).await;
    let knobs = json!({"rewrite_expiry": {"life_s": 96}});
    mount.astra.set_knobs(knobs).unwrap();
    let period = json!({"rotation_period": 229});
    mount.write("config", period).await.unwrap();
    for _ in 0..10 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
        assert_eq!(root_of(&mount).await, first);
        assert!(mount.is_live(&first));
    }
    let config = mount.read_data("config").await;
    let last_error = config["rotation_error"].as_str().unwrap();
    assert!(last_error.contains("which is too soon"), "{last_error}");
    assert!(mount.live().is_empty());
    // Two minutes are enough: each tick replaces it.
    let knobs = json!({"rewrite_expiry": {"life_s": 121}});
    mount.astra.set_knobs(knobs).unwrap();
    let mut before = first;
    rotate(&mount).await.unwrap();
    for _ in 0..3 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
        let root = root_of(&mount).await;
        assert!(root != before && mount.is_live(&root));
        before = root;
    }
    // What the first one was asked for is asked for again, so the next ticks have nothing to do.
    let usual = serde_json::to_value(astra_emulator::Knobs::default()).unwrap();
    mount.astra.set_knobs(usual).unwrap();
    mount.advance(Duration::from_secs(60));
    mount.tick().await;
    let last = root_of(&mount).await;
    assert_ne!(last, before);
    for _ in 0..3 {
        mount.advance(Duration::from_secs(60));
        mount.tick().await;
        assert_eq!(root_of(&mount).await, last);
    }
}

#[tokio::test]
async fn a_root_token_that_ends_even_sooner_is_replaced_with_a_warning() {
    let mount = AstraMount::configured().await;
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let ending = PortalToken {
        roles,
        expires_in_s: Some(80),
        ..PortalToken::default()
    };
    let token = mount.astra.create_token(ending).unwrap().token;
    let texts = warnings(
        mount
            .write("config", mount.config(json!({"token": token})))
            .await
            .unwrap(),
    );
    assert!(texts[0].contains("may be before a tick"), "{texts:?}");
    let knobs = json!({"rewrite_expiry": {"life_s": 96}});
    mount.astra.set_knobs(knobs).unwrap();
    let rotated = rotate(&mount).await.unwrap();
    let texts = warnings(rotated);
    assert!(texts[0].contains("may be before a tick"), "{texts:?}");
}

/// What failed of a former root token says nothing of the one that an operator has written since.
#[tokio::test]
async fn failures_of_a_former_root_token_do_not_put_off_the_next_one() {
    let mut mount = AstraMount::configured().await;
    let scheduled = json!({"rotation_period": 60});
    mount.write("config", scheduled).await.unwrap();
    mount.fault("POST", "/v2/clientIdSecrets", refused(403));
    for _ in 0..8 {
        mount.advance(Duration::from_secs(3_601));
        mount.tick().await;
    }
    assert_ne!(mount.read_data("config").await["rotation_error"], json!(""));
    mount.astra.clear_faults();
    let token = json!({"token": mount.another_root_token()});
    mount.write("config", token).await.unwrap();
    assert_eq!(mount.read_data("config").await["rotation_error"], json!(""));
    let written = root_of(&mount).await;
    mount.advance(Duration::from_secs(61));
    mount.tick().await;
    assert_ne!(root_of(&mount).await, written);
}
