//! Static roles against the emulator: good, bad, and whatever fails at whichever step.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Matcher;
use astra_emulator::fault::FaultBody;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::testing::Bench;
use crate::engine::testing::Plan;
use crate::engine::testing::READER;
use crate::engine::testing::until_hung;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;

const DAY: Duration = Duration::from_secs(86_400);

fn role() -> Value {
    json!({"astra_roles": READER, "rotation_period": "24h"})
}

async fn with_role() -> Bench {
    let bench = Bench::new().await;
    let written = bench.write("static-roles/app", role()).await.unwrap();
    assert!(warnings(written).is_empty());
    bench
}

async fn creds(bench: &Bench) -> Map<String, Value> {
    bench.read("static-creds/app").await
}

fn text<'a>(data: &'a Map<String, Value>, key: &str) -> &'a str {
    data[key].as_str().unwrap()
}

async fn current(bench: &Bench) -> String {
    text(&creds(bench).await, "client_id").to_owned()
}

async fn delete(bench: &Bench) -> Vec<String> {
    let deleted = bench
        .call(Operation::Delete, "static-roles/app", json!({}))
        .await;
    warnings(deleted.unwrap())
}

fn refused() -> Fault {
    Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

fn time_of(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

#[tokio::test]
async fn a_new_role_has_a_token_at_once() {
    let bench = with_role().await;
    let data = creds(&bench).await;
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
    assert!(bench.is_live(client_id));
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
    let token = bench.astra.token(client_id).unwrap();
    assert!(
        token.description.ends_with(" static-roles/app"),
        "{}",
        token.description
    );
    assert!(bench.astra.violations().is_empty());
}

#[tokio::test]
async fn what_is_read_can_be_written_back() {
    let bench = with_role().await;
    let before = bench.read("static-roles/app").await;
    assert_eq!(before["overlap"], json!(3600));
    assert_eq!(before["rotation_period"], json!(86_400));
    assert_eq!(before["rotation_schedule"], json!(""));
    assert_eq!(before["last_error"], json!(""));
    assert!(!before.contains_key("token") && !before.contains_key("client_secret"));
    bench
        .write("static-roles/app", Value::Object(before.clone()))
        .await
        .unwrap();
    assert_eq!(bench.read("static-roles/app").await, before);
    let list = bench
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
async fn a_token_is_replaced_when_due_and_the_previous_lives_on_for_the_overlap() {
    let mut bench = with_role().await;
    let first = current(&bench).await;
    bench.advance(DAY - Duration::from_secs(30));
    bench.tick().await;
    assert_eq!(current(&bench).await, first);
    bench.advance(Duration::from_secs(31));
    // Due, and the tick has not come: never 0.
    assert!(creds(&bench).await["ttl"].as_u64().unwrap() >= 1);
    bench.tick().await;
    let second = current(&bench).await;
    assert_ne!(second, first);
    assert!(bench.is_live(&first));
    bench.advance(Duration::from_secs(3599));
    bench.tick().await;
    assert!(bench.is_live(&first));
    bench.advance(Duration::from_secs(2));
    bench.tick().await;
    assert!(!bench.is_live(&first));
    assert_eq!(bench.minted(), [second]);
    bench.restart();
    bench.tick().await;
    assert_eq!(bench.minted().len(), 1);
}

#[tokio::test]
async fn a_cron_schedule_is_kept() {
    let mut bench = Bench::new().await;
    let role = json!({"astra_roles": READER, "rotation_schedule": "30 3 * * *"});
    bench.write("static-roles/app", role).await.unwrap();
    let data = creds(&bench).await;
    assert_eq!(data["rotation_schedule"], json!("30 3 * * *"));
    assert!(!data.contains_key("rotation_period"));
    let next = bench.read("static-roles/app").await;
    let next = time_of(text(&next, "next_rotation"));
    assert_eq!((next.hour(), next.minute(), next.second()), (3, 30, 0));
    let first = current(&bench).await;
    let ttl = data["ttl"].as_u64().unwrap();
    bench.advance(Duration::from_secs(ttl + 1));
    bench.tick().await;
    assert_ne!(current(&bench).await, first);
}

#[tokio::test]
async fn rotating_by_hand_works_and_does_not_pile_up_tokens() {
    let bench = with_role().await;
    let first = current(&bench).await;
    let rotated = bench.write("rotate-role/app", json!({})).await.unwrap();
    assert!(warnings(rotated).is_empty());
    assert_ne!(current(&bench).await, first);
    assert!(bench.is_live(&first));
    for _ in 0..20 {
        bench.write("rotate-role/app", json!({})).await.unwrap();
    }
    assert_eq!(bench.minted().len(), 1 + 8);
    let text = bench.refusal("rotate-role/other", json!({})).await;
    assert_eq!(
        text,
        "static role \"other\" does not exist: write it first, at static-roles/other"
    );
}

#[tokio::test]
async fn no_overlap_deletes_at_once() {
    let bench = with_role().await;
    bench
        .write("static-roles/app", json!({"overlap": 0}))
        .await
        .unwrap();
    bench.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(bench.minted(), [current(&bench).await]);
}

#[tokio::test]
async fn other_astra_roles_mean_another_token() {
    let bench = with_role().await;
    let first = current(&bench).await;
    let described = json!({"description": "nightly", "rotation_period": "12h"});
    bench
        .call(Operation::Patch, "static-roles/app", described)
        .await
        .unwrap();
    assert_eq!(current(&bench).await, first);
    let other = json!({"astra_roles": "API Admin User"});
    let refusal = bench.write("static-roles/app", other).await;
    assert!(refusal.is_ok(), "{:?}", refusal.err());
    let second = current(&bench).await;
    assert_ne!(second, first);
    let old = bench.astra.token(&first).unwrap().roles;
    let token = bench.astra.token(&second).unwrap();
    assert_ne!(token.roles, old);
    assert!(token.description.ends_with(" nightly"));
    let patch = bench
        .call(Operation::Patch, "static-roles/other", json!({}))
        .await;
    assert!(matches!(
        patch.err(),
        Some(Error::Coded { status: 404, .. })
    ));
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let bench = Bench::new().await;
    let with = |key: &str, value: Value| {
        let mut role = role();
        role[key] = value;
        role
    };
    for (data, text) in [
        (
            json!({"astra_roles": READER}),
            "rotation_period or rotation_schedule is missing: give one of the two, for instance rotation_period=24h",
        ),
        (
            json!({"rotation_period": 60}),
            "astra_roles is missing: give one or more names or ids of Astra roles",
        ),
        (
            with("rotation_period", json!(10)),
            "rotation_period: 10s is out of range",
        ),
        (
            with("rotation_schedule", json!("0 0 * * *")),
            "rotation_period: 86400 was given together with rotation_schedule",
        ),
        (
            with("overlap", json!("24h")),
            "overlap: 86400s is not less than the time between two rotations, 86400s: shorten overlap or rotate less often",
        ),
        (
            with("astra_roles", json!("Nobody")),
            "astra_roles: the organization has no role \"Nobody\"; the nearest names are ",
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
        let refusal = bench.refusal("static-roles/app", data).await;
        assert!(refusal.contains(text), "{refusal}");
    }
    assert!(bench.minted().is_empty());
    let read = bench
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    assert!(read.unwrap().is_none());
    let text = bench
        .call(Operation::Read, "static-creds/app", json!({}))
        .await;
    assert!(matches!(text.err(), Some(Error::BadRequest(_))));
    bench.write("static-roles/app", role()).await.unwrap();
    let token = bench.astra.root_token();
    bench
        .write("config/other", bench.config(&token))
        .await
        .unwrap();
    let refusal = bench
        .refusal("static-roles/app", json!({"config": "other"}))
        .await;
    assert!(
        refusal.starts_with("config: \"other\" is not \"default\""),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_failing_rotation_keeps_the_token_backs_off_and_tells_why() {
    let mut bench = with_role().await;
    let first = current(&bench).await;
    bench.fault("POST", "/v2/clientIdSecrets", refused());
    bench.advance(DAY);
    let before = bench.requests();
    for _ in 0..130 {
        bench.advance(Duration::from_secs(60));
        bench.tick().await;
        assert!(creds(&bench).await["ttl"].as_u64().unwrap() >= 1);
    }
    let journal = bench.astra.journal();
    let tries = journal[before..]
        .iter()
        .filter(|entry| entry.method == "POST")
        .count();
    assert!((7..=9).contains(&tries), "{tries}");
    assert_eq!(current(&bench).await, first);
    let read = bench.read("static-roles/app").await;
    assert!(text(&read, "last_error").contains("cannot mint a token"));
    assert!(time_of(text(&read, "next_rotation")) > bench.mount.engine.clock.now());
    let ttl = creds(&bench).await["ttl"].as_u64().unwrap();
    assert!((60..=3600).contains(&ttl), "{ttl}");
    bench.astra.clear_faults();
    bench.advance(Duration::from_secs(3600));
    bench.tick().await;
    assert_ne!(current(&bench).await, first);
    assert_eq!(
        bench.read("static-roles/app").await["last_error"],
        json!("")
    );
}

#[tokio::test]
async fn a_deleted_role_leaves_no_token() {
    let bench = with_role().await;
    bench.write("rotate-role/app", json!({})).await.unwrap();
    assert_eq!(bench.minted().len(), 2);
    assert!(delete(&bench).await.is_empty());
    assert!(bench.minted().is_empty());
    let keys = bench.storage.memory.keys();
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
    assert!(
        bench
            .call(Operation::Read, "static-creds/app", json!({}))
            .await
            .is_err()
    );
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
    assert_eq!(bench.minted(), [current(&bench).await]);
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

#[tokio::test]
async fn clearing_up_and_root_rotation_leave_static_tokens_alone() {
    let mut bench = with_role().await;
    let client_id = current(&bench).await;
    bench.write("rotate-root", json!({})).await.unwrap();
    bench.tick().await;
    bench.restart();
    bench.tick().await;
    bench.write("tidy", json!({})).await.unwrap();
    assert!(bench.is_live(&client_id));
    bench.advance(DAY);
    bench.tick().await;
    assert_ne!(current(&bench).await, client_id);
}

#[tokio::test]
async fn an_organization_with_a_shorter_maximum_is_rotated_for_in_time() {
    let mut bench = Bench::new().await;
    for mode in ["refuse", "clamp"] {
        let knobs = json!({"org_max_token_expiry_s": 40_000, "org_max_token_expiry_mode": mode});
        bench.astra.set_knobs(knobs).unwrap();
        let written = bench.write("static-roles/app", role()).await.unwrap();
        let texts = warnings(written);
        assert!(
            texts[0].contains("maximum token expiry"),
            "{mode}: {texts:?}"
        );
        let first = current(&bench).await;
        let ttl = creds(&bench).await["ttl"].as_u64().unwrap();
        assert!((29_000..=30_000).contains(&ttl), "{mode}: {ttl}");
        bench.advance(Duration::from_secs(ttl + 1));
        bench.tick().await;
        assert_ne!(current(&bench).await, first);
        assert!(bench.is_live(&current(&bench).await));
        assert!(delete(&bench).await.is_empty());
    }
}

#[tokio::test]
async fn a_standby_serves_and_changes_nothing() {
    let mut bench = with_role().await;
    let before = creds(&bench).await;
    bench.set_standby(true);
    let asked = bench.requests();
    bench.advance(DAY * 2);
    bench.tick().await;
    assert_eq!(creds(&bench).await["token"], before["token"]);
    for (operation, path) in [
        (Operation::Update, "rotate-role/app"),
        (Operation::Update, "static-roles/app"),
        (Operation::Create, "static-roles/new"),
        (Operation::Delete, "static-roles/app"),
    ] {
        let outcome = bench.call(operation, path, json!({})).await;
        assert_eq!(outcome.err(), Some(Error::ReadOnly));
    }
    assert_eq!(bench.requests(), asked);
}

/// What must hold after anything: a new process serves a token that works, and after a tick and the
/// overlap nothing else lives.
async fn assert_healed(bench: &mut Bench, what: &str) {
    bench.astra.clear_faults();
    bench.restart();
    let exists = bench
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    let mut held = Vec::new();
    if exists.unwrap().is_some() {
        held.push(current(bench).await);
        assert!(bench.is_live(&held[0]), "{what}: the token does not work");
    }
    bench.tick().await;
    bench.advance(Duration::from_secs(3601));
    bench.tick().await;
    assert_eq!(bench.minted(), held, "{what}");
    bench.write("static-roles/app", role()).await.unwrap();
    bench.write("rotate-role/app", json!({})).await.unwrap();
}

#[tokio::test]
async fn whichever_request_fails_no_token_is_lost_or_left() {
    for fault in [
        refused(),
        Fault::ResetAfterCommit {},
        Fault::MalformedJson {
            how: Default::default(),
        },
        Fault::RolesMismatch {},
    ] {
        for exists in [false, true] {
            for nth in 1..=5 {
                let mut bench = Bench::new().await;
                if exists {
                    let mut role = role();
                    role["overlap"] = json!(0);
                    bench.write("static-roles/app", role).await.unwrap();
                }
                let mut rule = FaultRule::new(fault.clone()).times(1);
                rule.matcher = Matcher {
                    nth: Some(nth),
                    ..Matcher::default()
                };
                bench.astra.add_fault(rule).unwrap();
                let what = format!("{} at request {nth}, exists: {exists}", fault.kind());
                let path = if exists {
                    "rotate-role/app"
                } else {
                    "static-roles/app"
                };
                let _ = bench.write(path, role()).await;
                assert_healed(&mut bench, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn whichever_write_fails_no_token_is_lost_or_left() {
    for exists in [false, true] {
        for prefix in ["v1/static-role/", "v1/intent/"] {
            for after in 0..2 {
                for (written, and_reads) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let mut bench = if exists {
                        with_role().await
                    } else {
                        Bench::new().await
                    };
                    bench.storage.plan(Some(Plan {
                        prefix: prefix.to_owned(),
                        after,
                        written,
                        and_reads,
                        hangs: false,
                    }));
                    let path = if exists {
                        "rotate-role/app"
                    } else {
                        "static-roles/app"
                    };
                    let done = bench.write(path, role()).await;
                    let what = format!(
                        "{prefix} {after} {written} {and_reads}, exists: {exists}: {:?}",
                        done.err()
                    );
                    // The same process goes on first, then another takes over.
                    bench.storage.plan(None);
                    bench.storage.memory.set_failure(None);
                    bench.tick().await;
                    assert_healed(&mut bench, &what).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_request() {
    for committed in [false, true] {
        for exists in [false, true] {
            for nth in 1..=4 {
                let mut bench = Bench::new().await;
                if exists {
                    let mut role = role();
                    role["overlap"] = json!(0);
                    bench.write("static-roles/app", role).await.unwrap();
                }
                let before = bench.requests();
                let mut rule = FaultRule::new(Fault::Hang { committed });
                rule.matcher = Matcher {
                    nth: Some(nth),
                    ..Matcher::default()
                };
                bench.astra.add_fault(rule).unwrap();
                {
                    let path = if exists {
                        "rotate-role/app"
                    } else {
                        "static-roles/app"
                    };
                    let writing = bench.write(path, role());
                    tokio::pin!(writing);
                    let hung = async {
                        while (bench.requests() - before) < nth as usize {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    // Dropping the future at this await is what a process's death looks like.
                    tokio::select! {
                        _ = &mut writing => {}
                        () = hung => {}
                    }
                }
                let what =
                    format!("dead at request {nth}, committed: {committed}, exists: {exists}");
                assert_healed(&mut bench, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_write() {
    for prefix in ["v1/static-role/", "v1/intent/"] {
        for after in 0..2 {
            for (written, exists) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut bench = if exists {
                    with_role().await
                } else {
                    Bench::new().await
                };
                bench.storage.plan(Some(Plan {
                    prefix: prefix.to_owned(),
                    after,
                    written,
                    and_reads: false,
                    hangs: true,
                }));
                let path = if exists {
                    "rotate-role/app"
                } else {
                    "static-roles/app"
                };
                until_hung(&bench.storage, bench.write(path, role())).await;
                let what =
                    format!("dead at {prefix} {after}, written: {written}, exists: {exists}");
                assert_healed(&mut bench, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_tick_tends_many_roles() {
    let mut bench = Bench::new().await;
    for n in 0..80 {
        bench
            .write(&format!("static-roles/app{n}"), role())
            .await
            .unwrap();
    }
    let before = bench.minted();
    bench.advance(DAY);
    bench.tick().await;
    // Sixty-four per tick.
    assert_eq!(bench.minted().len(), 80 + 64);
    bench.tick().await;
    assert_eq!(bench.minted().len(), 160);
    bench.advance(Duration::from_secs(3601));
    bench.tick().await;
    bench.tick().await;
    let after = bench.minted();
    assert_eq!(after.len(), 80);
    assert!(after.iter().all(|token| !before.contains(token)));
}
