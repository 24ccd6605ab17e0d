//! Replacing the root token by hand.

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use astra_emulator::fault::LatencyPoint;
use serde_json::json;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;

use super::root_of;
use super::rotate;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;

#[tokio::test]
async fn the_root_token_is_replaced_by_one_like_it() {
    let mount = AstraMount::configured().await;
    let before = mount.read_data("config").await;
    let first = root_of(&mount).await;
    let response = rotate(&mount).await.unwrap().unwrap();
    let root = root_of(&mount).await;
    assert_eq!(response.data().len(), 1);
    assert_eq!(response.data()["token_client_id"], json!(root));
    assert!(response.warnings().is_empty(), "{:?}", response.warnings());
    assert_ne!(root, first);
    assert!(!mount.is_live(&first));
    let new = mount.astra.token(&root).unwrap();
    assert_eq!(new.roles, mount.astra.token(&first).unwrap().roles);
    assert_eq!(new.token_expiry, None);
    assert!(new.description.ends_with(" rotate-root/default"));
    let after = mount.read_data("config").await;
    assert_ne!(before["token_sha256"], after["token_sha256"]);
    assert_eq!(before["org_id"], after["org_id"]);
    assert!(mount.astra.violations().is_empty());
    // And again, with the minted token's own right to mint.
    rotate(&mount).await.unwrap();
    assert_eq!(mount.live(), [root_of(&mount).await]);
}

#[tokio::test]
async fn a_life_time_is_kept() {
    let mount = AstraMount::configured().await;
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let portal = mount.astra.create_token(PortalToken {
        roles,
        expires_in_s: Some(86_400 * 30),
        ..PortalToken::default()
    });
    let token = portal.unwrap().token;
    mount
        .write("config", mount.config(json!({"token": &token})))
        .await
        .unwrap();
    mount.astra.advance_clock(Duration::from_secs(86_400));
    mount
        .backend
        .engine
        .clock
        .advance(Duration::from_secs(86_400));
    rotate(&mount).await.unwrap();
    let root = mount.astra.token(&root_of(&mount).await).unwrap();
    let expiry = time::OffsetDateTime::parse(&root.token_expiry.unwrap(), &Rfc3339).unwrap();
    let life = expiry - mount.astra.now();
    assert!(
        (life - time::Duration::days(30)).abs() < time::Duration::MINUTE,
        "{life}"
    );
    // An organization that allows less since gives its maximum.
    let knobs = json!({"org_max_token_expiry_s": 86_400 * 7});
    mount.astra.set_knobs(knobs).unwrap();
    rotate(&mount).await.unwrap();
    let root = mount.astra.token(&root_of(&mount).await).unwrap();
    let expiry = time::OffsetDateTime::parse(&root.token_expiry.unwrap(), &Rfc3339).unwrap();
    assert!(expiry - mount.astra.now() <= time::Duration::days(7));
}

#[tokio::test]
async fn a_scheduled_rotation_gives_the_token_an_end() {
    let mount = AstraMount::configured().await;
    let days_left = async |data: serde_json::Value| {
        mount.write("config", data).await.unwrap();
        rotate(&mount).await.unwrap();
        let root = mount.astra.token(&root_of(&mount).await).unwrap();
        let expiry = root.token_expiry?;
        let expiry = time::OffsetDateTime::parse(&expiry, &Rfc3339).unwrap();
        Some((expiry - mount.astra.now() + time::Duration::HOUR).whole_days())
    };
    assert_eq!(days_left(json!({})).await, None);
    let period = |days: u32| json!({"rotation_period": format!("{days}d")});
    assert_eq!(days_left(period(30)).await, Some(2 * 30 + 90));
    assert_eq!(
        mount.read_data("config").await["next_rotation"]
            .as_str()
            .unwrap()
            .len(),
        20
    );
    // It follows the schedule, and goes with it.
    assert_eq!(days_left(period(60)).await, Some(2 * 60 + 90));
    assert_eq!(
        days_left(json!({"disable_automated_rotation": true})).await,
        None
    );
    let again = json!({"disable_automated_rotation": false});
    assert_eq!(days_left(again).await, Some(2 * 60 + 90));
    assert_eq!(days_left(json!({"rotation_period": 0})).await, None);
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn a_replaced_token_is_not_taken_back() {
    let mut mount = AstraMount::configured().await;
    let first = mount.astra.root_token();
    rotate(&mount).await.unwrap();
    let second = mount.astra.tokens(true).into_iter();
    let second = second
        .filter_map(|token| token.minted_by.and(token.token))
        .next();
    rotate(&mount).await.unwrap();
    mount.restart();
    let root = root_of(&mount).await;
    for old in [first, second.unwrap()] {
        let mut config = mount.config(json!({"token": &old}));
        config["verify"] = json!(false);
        let text = mount.refusal("config", config).await;
        assert!(text.contains("was replaced by a rotation"), "{text}");
    }
    assert_eq!(root_of(&mount).await, root);
    // What was read can be written back.
    let config = json!({"url": mount.astra.url(), "rotation_period": 0, "rotation_schedule": ""});
    mount.write("config", config).await.unwrap();
    assert_eq!(root_of(&mount).await, root);
}

#[tokio::test]
async fn leases_outlive_a_rotation_and_are_revoked_by_the_new_root() {
    let mut mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER});
    mount.write("roles/reader", role).await.unwrap();
    let creds = mount.call(Operation::Read, "creds/reader", json!({})).await;
    let creds = creds.unwrap().unwrap();
    let client_id = creds.data()["client_id"].as_str().unwrap().to_owned();
    let first = root_of(&mount).await;
    rotate(&mount).await.unwrap();
    // The answer is in this test's hands, so its request counts as running.
    mount.advance(Duration::from_secs(60));
    mount.tick().await;
    assert!(mount.is_live(&client_id));
    assert!(!mount.is_live(&first));
    let credential = mount.call(Operation::Read, "creds/reader", json!({})).await;
    assert!(credential.is_ok());

    // Another process, which never knew the root token that minted it.
    mount.restart();
    mount.astra.clear_journal();
    mount.revoke(&creds).await.unwrap();
    assert!(!mount.is_live(&client_id));
    let journal = mount.astra.journal();
    let deletion = journal.iter().find(|entry| entry.method == "DELETE");
    assert_eq!(
        deletion.unwrap().client_id_of_caller.as_deref(),
        Some(root_of(&mount).await.as_str())
    );
}

#[tokio::test]
async fn a_root_that_may_not_mint_stays() {
    let mount = AstraMount::configured().await;
    let token = &mount.astra.seeds().tokens["read_only"];
    let mut config = mount.config(json!({"token": &token.token}));
    config["verify"] = json!(false);
    mount.write("config", config).await.unwrap();
    let Err(Error::Status { status, message }) = rotate(&mount).await else {
        panic!("it rotated");
    };
    assert_eq!(status.code(), 502);
    assert!(message.contains("may not do"), "{message}");
    assert!(
        message.ends_with("The root token was not changed"),
        "{message}"
    );
    assert_eq!(root_of(&mount).await, token.client_id);
    assert!(mount.live().is_empty());
    let config = mount.read_data("config").await;
    assert_eq!(config["rotation_error"], json!(message));
}

#[tokio::test]
async fn a_missing_config_is_named() {
    let mount = AstraMount::configured().await;
    let text = mount.refusal("rotate-root/other", json!({})).await;
    assert!(
        text.starts_with("config \"other\" does not exist"),
        "{text}"
    );
}

#[tokio::test]
async fn a_standby_asks_astra_nothing() {
    let mut mount = AstraMount::configured().await;
    mount.set_standby(true);
    let before = mount.all_requests();
    assert_eq!(rotate(&mount).await.err(), Some(Error::ReadOnly));
    mount.advance(Duration::from_secs(86_400));
    mount.tick().await;
    assert_eq!(mount.all_requests(), before);
}

#[tokio::test]
async fn a_new_token_that_astra_knows_late_is_waited_for() {
    let mount = AstraMount::configured().await;
    let knobs = json!({"create_visible_after_ms": 300, "create_visible_scope": "auth"});
    mount.astra.set_knobs(knobs).unwrap();
    rotate(&mount).await.unwrap();
    assert_eq!(mount.live(), [root_of(&mount).await]);
}

/// As long as Astra may take to show a token: were it given up before, no rotation would succeed.
#[test]
fn a_new_token_that_astra_knows_very_late_is_waited_for() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let knobs = json!({"create_visible_after_ms": 25_000, "create_visible_scope": "all"});
        mount.astra.set_knobs(knobs).unwrap();
        rotate(&mount).await.unwrap();
        assert_eq!(mount.live(), [root_of(&mount).await]);
    });
}

/// What does not work at last is not left behind.
#[test]
fn a_new_token_that_astra_does_not_know_in_time_is_taken_back() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let knobs = json!({"create_visible_after_ms": 600_000, "create_visible_scope": "auth"});
        mount.astra.set_knobs(knobs).unwrap();
        // Little time is left for it.
        let slow = Fault::Latency {
            ms: 28_000,
            max_ms: None,
            at: LatencyPoint::Before,
        };
        mount.fault_once("POST", "/v2/clientIdSecrets", slow);
        let slow = Fault::Latency {
            ms: 3_000,
            max_ms: None,
            at: LatencyPoint::Before,
        };
        mount.fault("DELETE", "*", slow);
        assert!(rotate(&mount).await.is_err());
        assert!(mount.live().is_empty());
    });
}

#[tokio::test]
async fn rotations_at_the_same_time_take_turns() {
    let mount = AstraMount::configured().await;
    let rotations = (0..4).map(|_| rotate(&mount));
    for rotated in futures_util::future::join_all(rotations).await {
        assert!(warnings(rotated.unwrap()).is_empty());
    }
    assert_eq!(mount.live(), [root_of(&mount).await]);
}

#[tokio::test]
async fn no_user_notices_a_rotation() {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER});
    mount.write("roles/reader", role).await.unwrap();
    // Mints are in flight while the root token that they use is replaced.
    let slow = Fault::Latency {
        ms: 200,
        max_ms: None,
        at: Default::default(),
    };
    mount.fault("POST", "/v2/clientIdSecrets", slow);
    let reads = (0..40).map(|n| {
        let mount = &mount;
        async move {
            tokio::time::sleep(Duration::from_millis(n * 10)).await;
            let read = mount.call(Operation::Read, "creds/reader", json!({})).await;
            // A response that is not delivered yet may still have to be taken back.
            read.map(drop)
        }
    });
    let reads = futures_util::future::join_all(reads);
    let (reads, rotated) = futures_util::future::join(reads, rotate(&mount)).await;
    assert!(warnings(rotated.unwrap()).is_empty());
    for read in reads {
        assert!(read.is_ok(), "{:?}", read.err());
    }
}
