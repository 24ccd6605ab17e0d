//! Root rotation against the emulator: good, bad, and whatever fails at whichever step.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Matcher;
use astra_emulator::PortalToken;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use super::*;
use crate::engine::testing::Bench;
use crate::engine::testing::Plan;
use crate::engine::testing::READER;
use crate::engine::testing::call;
use crate::engine::testing::until_hung;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Outcome;

async fn rotate(bench: &Bench) -> Outcome {
    bench.write("rotate-root", json!({})).await
}

async fn root_of(bench: &Bench) -> String {
    let config = bench.read("config").await;
    config["token_client_id"].as_str().unwrap().to_owned()
}

fn refused(status: u16) -> Fault {
    Fault::Status {
        status,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

/// What must hold after anything: a new process has a root token that works, and after a tick
/// nothing else that rotation minted lives.
async fn assert_healed(bench: &mut Bench, first: &str, what: &str) {
    bench.astra.clear_faults();
    bench.restart();
    let root = root_of(bench).await;
    assert!(bench.is_live(&root), "{what}: locked out");
    bench.tick().await;
    let root_after = root_of(bench).await;
    assert_eq!(root, root_after, "{what}: a tick changed the root token");
    assert!(bench.is_live(&root), "{what}: a tick locked the mount out");
    let others: Vec<_> = bench.minted();
    let others: Vec<_> = others.iter().filter(|other| **other != root).collect();
    assert!(others.is_empty(), "{what}: left behind {others:?}");
    assert_eq!(
        bench.is_live(first),
        root == first,
        "{what}: the replaced token lives"
    );
    let rotated = rotate(bench).await.unwrap();
    assert!(
        warnings(rotated).is_empty(),
        "{what}: the next rotation warns"
    );
    assert_ne!(root_of(bench).await, root, "{what}");
}

#[tokio::test]
async fn the_root_token_is_replaced_by_one_like_it() {
    let bench = Bench::new().await;
    let before = bench.read("config").await;
    let first = root_of(&bench).await;
    let response = rotate(&bench).await.unwrap().unwrap();
    let root = root_of(&bench).await;
    assert_eq!(response.data().len(), 1);
    assert_eq!(response.data()["token_client_id"], json!(root));
    assert!(response.warnings().is_empty(), "{:?}", response.warnings());
    assert_ne!(root, first);
    assert!(!bench.is_live(&first));
    let new = bench.astra.token(&root).unwrap();
    assert_eq!(new.roles, bench.astra.token(&first).unwrap().roles);
    assert_eq!(new.token_expiry, None);
    assert!(new.description.ends_with(" rotate-root/default"));
    let after = bench.read("config").await;
    assert_ne!(before["token_sha256"], after["token_sha256"]);
    assert_eq!(before["org_id"], after["org_id"]);
    assert!(bench.astra.violations().is_empty());
    // And again, with the minted token's own right to mint.
    rotate(&bench).await.unwrap();
    assert_eq!(bench.minted(), [root_of(&bench).await]);
}

#[tokio::test]
async fn a_life_time_is_kept() {
    let bench = Bench::new().await;
    let roles = bench.astra.seeds().tokens["org_admin"].roles.clone();
    let portal = bench.astra.create_token(PortalToken {
        roles,
        expires_in_s: Some(86_400 * 30),
        ..PortalToken::default()
    });
    let token = portal.unwrap().token;
    bench.write("config", bench.config(&token)).await.unwrap();
    bench.astra.advance_clock(Duration::from_secs(86_400));
    bench
        .mount
        .engine
        .clock
        .advance(Duration::from_secs(86_400));
    rotate(&bench).await.unwrap();
    let root = bench.astra.token(&root_of(&bench).await).unwrap();
    let expiry = time::OffsetDateTime::parse(&root.token_expiry.unwrap(), &Rfc3339).unwrap();
    let life = expiry - bench.astra.now();
    assert!(
        (life - time::Duration::days(30)).abs() < time::Duration::MINUTE,
        "{life}"
    );
    // An organization that allows less since gives its maximum.
    let knobs = json!({"org_max_token_expiry_s": 86_400 * 7});
    bench.astra.set_knobs(knobs).unwrap();
    rotate(&bench).await.unwrap();
    let root = bench.astra.token(&root_of(&bench).await).unwrap();
    let expiry = time::OffsetDateTime::parse(&root.token_expiry.unwrap(), &Rfc3339).unwrap();
    assert!(expiry - bench.astra.now() <= time::Duration::days(7));
}

#[tokio::test]
async fn a_replaced_token_is_not_taken_back() {
    let mut bench = Bench::new().await;
    let first = bench.astra.root_token();
    rotate(&bench).await.unwrap();
    let second = bench.astra.tokens(true).into_iter();
    let second = second
        .filter_map(|token| token.minted_by.and(token.token))
        .next();
    rotate(&bench).await.unwrap();
    bench.restart();
    let root = root_of(&bench).await;
    for old in [first, second.unwrap()] {
        let mut config = bench.config(&old);
        config["verify"] = json!(false);
        let text = bench.refusal("config", config).await;
        assert!(text.contains("was replaced by a rotation"), "{text}");
    }
    assert_eq!(root_of(&bench).await, root);
    // What was read can be written back.
    let config = json!({"url": bench.astra.url(), "rotation_period": 0, "rotation_schedule": ""});
    bench.write("config", config).await.unwrap();
    assert_eq!(root_of(&bench).await, root);
}

#[tokio::test]
async fn leases_outlive_a_rotation() {
    let bench = Bench::new().await;
    let role = json!({"astra_roles": READER});
    bench.write("roles/reader", role).await.unwrap();
    let creds = bench.call(Operation::Read, "creds/reader", json!({})).await;
    let creds = creds.unwrap().unwrap();
    let client_id = creds.data()["client_id"].as_str().unwrap().to_owned();
    rotate(&bench).await.unwrap();
    bench.tick().await;
    assert!(bench.is_live(&client_id));
    assert!(creds.lease().is_some());
    let fresh = bench.call(Operation::Read, "creds/reader", json!({})).await;
    assert!(fresh.is_ok());
}

#[tokio::test]
async fn a_root_that_may_not_mint_stays() {
    let bench = Bench::new().await;
    let token = &bench.astra.seeds().tokens["read_only"];
    let mut config = bench.config(&token.token);
    config["verify"] = json!(false);
    bench.write("config", config).await.unwrap();
    let Err(Error::Coded { status, message }) = rotate(&bench).await else {
        panic!("it rotated");
    };
    assert_eq!(status, 502);
    assert!(message.contains("may not do"), "{message}");
    assert!(
        message.ends_with("The root token was not changed"),
        "{message}"
    );
    assert_eq!(root_of(&bench).await, token.client_id);
    assert!(bench.minted().is_empty());
    let config = bench.read("config").await;
    assert_eq!(config["last_error"], json!(message));
}

#[tokio::test]
async fn a_missing_config_is_named() {
    let bench = Bench::new().await;
    let text = bench.refusal("rotate-root/other", json!({})).await;
    assert!(
        text.starts_with("config \"other\" does not exist"),
        "{text}"
    );
}

#[tokio::test]
async fn a_standby_asks_astra_nothing() {
    let mut bench = Bench::new().await;
    bench.set_standby(true);
    let before = bench.requests();
    assert_eq!(rotate(&bench).await.err(), Some(Error::ReadOnly));
    bench.advance(Duration::from_secs(86_400));
    bench.tick().await;
    assert_eq!(bench.requests(), before);
}

#[tokio::test]
async fn a_new_token_that_astra_knows_late_is_waited_for() {
    let bench = Bench::new().await;
    let knobs = json!({"create_visible_after_ms": 300, "create_visible_scope": "auth"});
    bench.astra.set_knobs(knobs).unwrap();
    rotate(&bench).await.unwrap();
    assert_eq!(bench.minted(), [root_of(&bench).await]);
}

#[tokio::test]
async fn an_undeleted_old_token_is_a_warning_and_goes_later() {
    let bench = Bench::new().await;
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
    let bench = Bench::new().await;
    rotate(&bench).await.unwrap();
    let minted = root_of(&bench).await;
    let roles = bench.astra.seeds().tokens["org_admin"].roles.clone();
    let portal = bench.astra.create_token(PortalToken {
        roles,
        ..PortalToken::default()
    });
    let portal = portal.unwrap();
    bench
        .write("config", bench.config(&portal.token))
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
    let bench = Bench::new().await;
    rotate(&bench).await.unwrap();
    let deleted = bench.call(Operation::Delete, "config", json!({})).await;
    assert!(warnings(deleted.unwrap()).is_empty());
    assert!(bench.minted().is_empty());
}

#[tokio::test]
async fn what_a_deleted_config_leaves_goes_with_a_later_tick() {
    let mut bench = Bench::new().await;
    rotate(&bench).await.unwrap();
    bench.fault("DELETE", "/v2/clientIdSecrets/*", refused(503));
    let deleted = bench.call(Operation::Delete, "config", json!({})).await;
    let warnings = warnings(deleted.unwrap());
    assert!(warnings[0].contains("ticks try again"), "{warnings:?}");
    assert_eq!(bench.minted().len(), 1);
    bench.restart();
    bench.astra.clear_faults();
    bench.tick().await;
    assert!(bench.minted().is_empty());
    let keys = bench.storage.memory.keys();
    assert!(
        keys.iter().all(|key| !key.starts_with("v1/farewell/")),
        "{keys:?}"
    );
}

#[tokio::test]
async fn whichever_request_fails_the_mount_heals() {
    let faults = [
        refused(403),
        Fault::RootExpired { persist: false },
        Fault::ResetAfterCommit {},
        Fault::MalformedJson {
            how: Default::default(),
        },
        Fault::Truncate {
            bytes: None,
            chunked: false,
            then: Default::default(),
        },
        Fault::ForeignClient {},
        Fault::RolesMismatch {},
    ];
    for fault in faults {
        for nth in 1.. {
            let mut bench = Bench::new().await;
            let first = root_of(&bench).await;
            let before = bench.requests();
            let mut rule = FaultRule::new(fault.clone()).times(1);
            rule.matcher = Matcher {
                nth: Some(nth),
                ..Matcher::default()
            };
            bench.astra.add_fault(rule).unwrap();
            let what = format!("{} at request {nth}", fault.kind());
            let rotated = rotate(&bench).await;
            let reached = (bench.requests() - before) as u64 >= nth;
            if let Err(error) = &rotated {
                assert_eq!(root_of(&bench).await, first, "{what}: {error}");
            }
            assert_healed(&mut bench, &first, &what).await;
            if !reached {
                assert!(nth > 6, "{what}: there were fewer requests than steps");
                break;
            }
        }
    }
}

#[tokio::test]
async fn whichever_write_fails_the_mount_heals() {
    for prefix in ["v1/config/", "v1/intent/"] {
        for after in 0..3 {
            for (written, and_reads) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let mut bench = Bench::new().await;
                let first = root_of(&bench).await;
                bench.storage.plan(Some(Plan {
                    prefix: prefix.to_owned(),
                    after,
                    written,
                    and_reads,
                    hangs: false,
                }));
                let rotated = rotate(&bench).await;
                let what = format!(
                    "{prefix} {after} {written} {and_reads}: {:?}",
                    rotated.err()
                );
                // The same process goes on first, then another takes over.
                bench.storage.plan(None);
                bench.storage.memory.set_failure(None);
                let root = root_of(&bench).await;
                assert!(bench.is_live(&root), "{what}: locked out");
                bench.tick().await;
                assert!(bench.is_live(&root), "{what}: a tick locked the mount out");
                assert_healed(&mut bench, &first, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_request() {
    for committed in [false, true] {
        for nth in 1..=10 {
            let mut bench = Bench::new().await;
            let first = root_of(&bench).await;
            let before = bench.requests();
            let mut rule = FaultRule::new(Fault::Hang { committed });
            rule.matcher = Matcher {
                nth: Some(nth),
                ..Matcher::default()
            };
            bench.astra.add_fault(rule).unwrap();
            {
                let rotating = rotate(&bench);
                tokio::pin!(rotating);
                let hung = async {
                    while (bench.requests() - before) < nth as usize {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                // Dropping the future at this await is what a process's death looks like.
                tokio::select! {
                    _ = &mut rotating => {}
                    () = hung => {}
                }
            }
            let what = format!("dead at request {nth}, committed: {committed}");
            assert_healed(&mut bench, &first, &what).await;
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_write() {
    for prefix in ["v1/config/", "v1/intent/"] {
        for after in 0..3 {
            for written in [false, true] {
                let mut bench = Bench::new().await;
                let first = root_of(&bench).await;
                bench.storage.plan(Some(Plan {
                    prefix: prefix.to_owned(),
                    after,
                    written,
                    and_reads: false,
                    hangs: true,
                }));
                until_hung(&bench.storage, rotate(&bench)).await;
                let what = format!("dead at {prefix} {after}, written: {written}");
                assert_healed(&mut bench, &first, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn rotations_at_the_same_time_take_turns() {
    let bench = Bench::new().await;
    let rotations = (0..4).map(|_| rotate(&bench));
    for rotated in futures_util::future::join_all(rotations).await {
        assert!(warnings(rotated.unwrap()).is_empty());
    }
    assert_eq!(bench.minted(), [root_of(&bench).await]);
}

#[tokio::test]
async fn nobody_notices_a_rotation() {
    let bench = Bench::new().await;
    let role = json!({"astra_roles": READER});
    bench.write("roles/reader", role).await.unwrap();
    // Mints are under way while the root token that they use is replaced.
    let slow = Fault::Latency {
        ms: 200,
        max_ms: None,
        at: Default::default(),
    };
    bench.fault("POST", "/v2/clientIdSecrets", slow);
    let reads = (0..40).map(|n| {
        let mount = &bench.mount;
        async move {
            tokio::time::sleep(Duration::from_millis(n * 10)).await;
            let read = call(mount, Operation::Read, "creds/reader", json!({})).await;
            // A response that is not delivered yet may still have to be taken back.
            read.map(drop)
        }
    });
    let reads = futures_util::future::join_all(reads);
    let (reads, rotated) = futures_util::future::join(reads, rotate(&bench)).await;
    assert!(warnings(rotated.unwrap()).is_empty());
    for read in reads {
        assert!(read.is_ok(), "{:?}", read.err());
    }
}

#[tokio::test]
async fn a_period_rotates_and_can_be_suspended() {
    let mut bench = Bench::new().await;
    let first = root_of(&bench).await;
    bench
        .write("config", json!({"rotation_period": "1h"}))
        .await
        .unwrap();
    let config = bench.read("config").await;
    assert_eq!(config["rotation_period"], json!(3600));
    assert_eq!(config["rotation_schedule"], json!(""));
    bench.tick().await;
    assert_eq!(root_of(&bench).await, first);
    bench.advance(Duration::from_secs(3590));
    bench.tick().await;
    assert_eq!(root_of(&bench).await, first);
    bench.advance(Duration::from_secs(11));
    bench.tick().await;
    let second = root_of(&bench).await;
    assert_ne!(second, first);
    assert!(!bench.is_live(&first));
    let suspended = json!({"disable_automated_rotation": true});
    bench
        .call(Operation::Patch, "config", suspended)
        .await
        .unwrap();
    bench.advance(Duration::from_secs(7200));
    bench.tick().await;
    assert_eq!(root_of(&bench).await, second);
    let config = bench.read("config").await;
    assert_eq!(config["next_rotation"], json!(""));
    assert_eq!(config["disable_automated_rotation"], json!(true));
    assert_eq!(config["rotation_period"], json!(3600));
}

#[tokio::test]
async fn a_failing_rotation_backs_off_and_tells_why() {
    let mut bench = Bench::new().await;
    let first = root_of(&bench).await;
    bench
        .write("config", json!({"rotation_schedule": "* * * * *"}))
        .await
        .unwrap();
    bench.fault("POST", "/v2/clientIdSecrets", refused(403));
    let mut tries = 0;
    for _ in 0..130 {
        bench.advance(Duration::from_secs(60));
        let before = bench.requests();
        bench.tick().await;
        let posts = bench.astra.journal();
        tries += posts[before..]
            .iter()
            .filter(|entry| entry.method == "POST")
            .count();
    }
    // After 0, 1, 3, 7, 15, 31, 63 and 123 minutes.
    assert!((7..=9).contains(&tries), "{tries}");
    let config = bench.read("config").await;
    let last_error = config["last_error"].as_str().unwrap();
    assert!(last_error.contains("cannot mint a token"), "{last_error}");
    assert_eq!(root_of(&bench).await, first);
    bench.astra.clear_faults();
    bench.advance(Duration::from_secs(3600));
    bench.tick().await;
    assert_ne!(root_of(&bench).await, first);
    assert_eq!(bench.read("config").await["last_error"], json!(""));
    let keys = bench.storage.memory.keys();
    assert!(!keys.iter().any(|key| key.starts_with("v1/rotation/")));
}

#[tokio::test]
async fn bad_settings_are_refused_and_change_nothing() {
    let bench = Bench::new().await;
    let before = bench.read("config").await;
    for (data, text) in [
        (
            json!({"rotation_period": 59}),
            "rotation_period: 59s is out of range: give 60s or more, up to 100 years",
        ),
        (json!({"rotation_period": "101y"}), "rotation_period"),
        (
            json!({"rotation_period": 60, "rotation_schedule": "0 0 * * *"}),
            "rotation_period: 60 was given together with rotation_schedule: give one of the two",
        ),
        (
            json!({"rotation_schedule": "@daily"}),
            "rotation_schedule: \"@daily\" is not a schedule: it has 1 fields; give a cron expression of five fields in UTC \
             (minute, hour, day of month, month, day of week), for instance \"0 3 * * SAT\"",
        ),
        (
            json!({"rotation_schedule": "61 0 * * *"}),
            "rotation_schedule: \"61 0 * * *\" is not a schedule: ",
        ),
    ] {
        let refusal = bench.refusal("config", data).await;
        assert!(refusal.contains(text), "{refusal}");
    }
    assert_eq!(bench.read("config").await, before);
    // One of the two replaces the other; empty takes it back.
    bench
        .write("config", json!({"rotation_period": 3600}))
        .await
        .unwrap();
    bench
        .write("config", json!({"rotation_schedule": "0 3 * * SAT"}))
        .await
        .unwrap();
    let config = bench.read("config").await;
    assert_eq!(config["rotation_period"], json!(0));
    assert_eq!(config["rotation_schedule"], json!("0 3 * * SAT"));
    bench
        .write("config", json!({"rotation_period": 0}))
        .await
        .unwrap();
    assert_eq!(
        bench.read("config").await["rotation_schedule"],
        json!("0 3 * * SAT")
    );
    bench
        .write("config", json!({"rotation_schedule": ""}))
        .await
        .unwrap();
    assert_eq!(bench.read("config").await["rotation_schedule"], json!(""));
}
