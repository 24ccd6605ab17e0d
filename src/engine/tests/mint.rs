//! Mints that no caller receives leave no token.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use astra_emulator::WaitFor;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;
use crate::engine::testing::request;
use crate::vault::Operation;
use crate::vault::Response;
use harness::wait_until;

const SOON: Duration = Duration::from_secs(20);

/// Like the plugin when the caller is gone before it has the answer.
async fn undeliver(mut response: Response) {
    let undo = response.undo.take().expect("a mint can be undone");
    undo.await;
}

fn forbidden() -> Fault {
    Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

fn unavailable() -> Fault {
    Fault::Status {
        status: 503,
        body: FaultBody::Empty,
        retry_after: None,
        committed: false,
    }
}

async fn pending(bench: &AstraMount) -> serde_json::Value {
    bench.read("status").await.unwrap()["configs"]["default"]["pending_intents"].clone()
}

/// A mint whose token is made, and whose process then dies.
async fn die_after_the_token_is_made(bench: &mut AstraMount) -> crate::vault::Request {
    let asked = request(Operation::Read, "creds/reader", json!({}));
    let made = WaitFor {
        token_count: Some(bench.live().len() + 1),
        ..WaitFor::default()
    };
    bench.fault_once("POST", "*", Fault::Hang { committed: true });
    tokio::select! {
        _ = bench.handle(asked.clone()) => panic!("the mint ended"),
        in_time = bench.astra.wait(made, SOON) => assert!(in_time),
    }
    bench.restart();
    asked
}

#[tokio::test]
async fn an_answer_that_is_not_delivered_takes_its_token_back() {
    let bench = AstraMount::mounted().await;
    let minted = bench.call(Operation::Read, "creds/reader", json!({})).await;
    undeliver(minted.unwrap().unwrap()).await;
    bench.assert_clean(&[], "undelivered");
    assert_eq!(pending(&bench).await, 0);
    // While the other answer of the same moment stays.
    let kept = bench.mint("reader").await.unwrap();
    bench.tick().await;
    bench.assert_clean(&[&kept], "delivered");
}

#[tokio::test]
async fn a_token_that_could_not_be_taken_back_is_deleted_by_a_tick() {
    let mut bench = AstraMount::mounted().await;
    for dies in [false, true] {
        let minted = bench.call(Operation::Read, "creds/reader", json!({})).await;
        bench.fault("DELETE", "*", forbidden());
        undeliver(minted.unwrap().unwrap()).await;
        bench.astra.clear_faults();
        assert_eq!(bench.live().len(), 1);
        assert_eq!(pending(&bench).await, 1);
        if dies {
            bench.restart();
        }
        bench.tick().await;
        bench.assert_clean(&[], "after one tick");
    }
}

#[tokio::test]
async fn a_token_is_taken_back_without_storage_too() {
    let bench = AstraMount::mounted().await;
    let minted = bench.call(Operation::Read, "creds/reader", json!({})).await;
    bench.storage.set_read_only(true);
    undeliver(minted.unwrap().unwrap()).await;
    bench.assert_clean(&[], "undelivered");
}

#[tokio::test]
async fn a_taken_back_token_is_durably_lost_once_storage_works_again() {
    let mut bench = AstraMount::mounted().await;
    let minted = bench.call(Operation::Read, "creds/reader", json!({})).await;
    bench.storage.set_read_only(true);
    bench.fault("DELETE", "*", forbidden());
    undeliver(minted.unwrap().unwrap()).await;
    bench.storage.set_read_only(false);
    // The tick cannot delete, but it notes; then the process dies.
    bench.tick().await;
    bench.astra.clear_faults();
    assert_eq!(bench.live().len(), 1);
    bench.restart();
    bench.tick().await;
    bench.assert_clean(&[], "the next process knows");
}

#[tokio::test]
async fn a_tick_after_a_crash_deletes_what_no_caller_received_and_nothing_else() {
    let mut bench = AstraMount::mounted().await;
    let issued = bench.mint("reader").await.unwrap();
    bench
        .astra
        .create_token(PortalToken {
            description: "vault:by hand".to_owned(),
            ..PortalToken::default()
        })
        .unwrap();
    die_after_the_token_is_made(&mut bench).await;
    assert_eq!(bench.live().len(), 2);
    let young = bench.mint("reader").await.unwrap();
    bench.tick().await;
    bench.assert_clean(&[&issued, &young], "after a crash");
}

#[tokio::test]
async fn a_request_that_the_host_repeats_replaces_its_first_token() {
    let mut bench = AstraMount::mounted().await;
    let issued = bench.mint("reader").await.unwrap();
    // In the one window, the process dies after the mark is durable; before it, the mark is not.
    for marked in [true, false] {
        let asked = if marked {
            let asked = request(Operation::Read, "creds/reader", json!({}));
            bench.mint_for(asked.clone()).await.unwrap();
            bench.restart();
            asked
        } else {
            die_after_the_token_is_made(&mut bench).await
        };
        let second = bench.mint_for(asked).await.unwrap();
        bench.assert_clean(&[&issued, &second], "repeated");
        bench.tick().await;
        bench.assert_clean(&[&issued, &second], "and a tick later");
        bench.revoke(&second).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeated_request_that_fails_leaves_its_first_token_to_a_tick() {
    for (method, dies) in [("GET", false), ("DELETE", false), ("DELETE", true)] {
        let mut bench = AstraMount::with(
            Default::default(),
            Deadlines {
                operation: Duration::from_secs(1),
                ..Deadlines::default()
            },
        )
        .await;
        bench.mount().await;
        let asked = request(Operation::Read, "creds/reader", json!({}));
        bench.mint_for(asked.clone()).await.unwrap();
        bench.restart();
        let down = Fault::Status {
            status: 503,
            body: FaultBody::Empty,
            retry_after: None,
            committed: false,
        };
        bench.fault(method, "/v2/clientIdSecrets*", down);
        assert!(bench.mint_for(asked).await.is_err());
        bench.astra.clear_faults();
        assert_eq!(bench.live().len(), 1);
        if dies {
            bench.restart();
        }
        bench.tick().await;
        bench.assert_clean(&[], method);
    }
}

#[tokio::test]
async fn a_crash_while_lists_are_refused_does_not_stop_mints() {
    let mut bench = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut bench).await;
    bench.fault("GET", "/v2/clientIdSecrets", forbidden());
    let issued = bench.mint("reader").await.unwrap();
    bench.tick().await;
    assert_eq!(bench.live().len(), 2);
    bench.astra.clear_faults();
    bench.tick().await;
    bench.assert_clean(&[&issued], "once lists are allowed");
}

#[tokio::test]
async fn a_mint_does_not_wait_for_a_tick() {
    let mut bench = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut bench).await;
    bench.fault("DELETE", "*", Fault::Hang { committed: false });
    let bench = Arc::new(bench);
    let ticking = Arc::clone(&bench);
    let tick = tokio::spawn(async move { ticking.tick().await });
    wait_until("the tick hangs in its deletion", SOON, async || {
        bench.astra.stats().concurrency > 0
    })
    .await;
    let issued = tokio::time::timeout(SOON, bench.mint("reader")).await;
    let issued = issued.expect("it does not wait").unwrap();
    tick.abort();
    bench.astra.clear_faults();
    bench.tick().await;
    bench.assert_clean(&[&issued], "in the end");
}

#[tokio::test]
async fn many_lost_tokens_cost_one_list_when_lists_fail() {
    let bench = AstraMount::mounted().await;
    bench.fault("POST", "*", Fault::ResetAfterCommit {});
    bench.fault("GET", "/v2/clientIdSecrets", forbidden());
    for _ in 0..5 {
        assert!(bench.mint("reader").await.is_err());
    }
    assert_eq!(bench.live().len(), 5);
    let before = bench.requests("GET", "/v2/clientIdSecrets");
    bench.tick().await;
    assert_eq!(bench.requests("GET", "/v2/clientIdSecrets"), before + 1);
    bench.astra.clear_faults();
    bench.tick().await;
    bench.assert_clean(&[], "after one tick");
}

#[tokio::test]
async fn an_orderly_end_leaves_nothing_to_look_for() {
    let mut bench = AstraMount::mounted().await;
    let issued = bench.mint("reader").await.unwrap();
    bench.cleanup().await;
    let keys = bench.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/intent/")),
        "{keys:?}"
    );
    bench.restart();
    let before = bench.requests("GET", "/v2/clientIdSecrets");
    bench.tick().await;
    assert_eq!(bench.requests("GET", "/v2/clientIdSecrets"), before);
    bench.assert_clean(&[&issued], "nothing is deleted");
}

#[tokio::test]
async fn blocks_of_a_dead_process_are_removed_once_lists_are_clean() {
    let mut bench = AstraMount::with(
        Default::default(),
        Deadlines {
            late_create_window: Duration::ZERO,
            ..Deadlines::default()
        },
    )
    .await;
    bench.mount().await;
    die_after_the_token_is_made(&mut bench).await;
    assert_eq!(pending(&bench).await, 1);
    bench.tick().await;
    assert_eq!(pending(&bench).await, 0);
    let keys = bench.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/intent/")),
        "{keys:?}"
    );
    bench.assert_clean(&[], "clean");
}

#[tokio::test]
async fn callers_at_the_same_time_get_a_token_each() {
    let bench = Arc::new(AstraMount::mounted().await);
    let mints = (0..50).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.mint("reader").await.unwrap() })
    });
    let mut issued = Vec::new();
    for mint in mints.collect::<Vec<_>>() {
        issued.push(mint.await.unwrap());
    }
    let issued: Vec<&Credential> = issued.iter().collect();
    bench.assert_clean(&issued, "fifty at once");
    assert_eq!(bench.astra.invariants().double_mints, 0);
    assert!(bench.astra.stats().max_concurrency_seen <= 32);
    bench.tick().await;
    bench.assert_clean(&issued, "and a tick");
}

#[tokio::test]
async fn a_create_that_takes_effect_after_the_first_clean_list_is_found() {
    let mut bench = AstraMount::mounted().await;
    let slow = Fault::Latency {
        ms: 1_000,
        max_ms: None,
        at: Default::default(),
    };
    bench.fault_once("POST", "/v2/clientIdSecrets", slow);
    let asked = request(Operation::Read, "creds/reader", json!({}));
    tokio::select! {
        _ = bench.handle(asked) => panic!("the mint ended"),
        () = wait_until("the create is in \
            flight", SOON, async || bench.astra.stats().concurrency > 0) => {}
    }
    // The process dies, and the next one's first lists show nothing.
    bench.restart();
    bench.tick().await;
    bench.tick().await;
    let made = WaitFor {
        token_count: Some(1),
        ..WaitFor::default()
    };
    assert!(bench.astra.wait(made, SOON).await, "it takes effect");
    bench.tick().await;
    bench.assert_clean(&[], "a late create");
}

#[tokio::test]
async fn what_astra_does_not_know_yet_is_taken_back_later() {
    let bench = AstraMount::mounted().await;
    let unseen = json!({"create_visible_after_ms": 60_000, "create_visible_scope": "all"});
    bench.astra.set_knobs(unseen).unwrap();
    let minted = bench.call(Operation::Read, "creds/reader", json!({})).await;
    undeliver(minted.unwrap().unwrap()).await;
    assert_eq!(pending(&bench).await, 1, "it is looked for");
    bench.tick().await;
    assert_eq!(pending(&bench).await, 1, "a list without it proves nothing");
    bench.astra.advance_clock(Duration::from_secs(61));
    bench.tick().await;
    bench.assert_clean(&[], "once it shows");
    assert_eq!(pending(&bench).await, 0);
}

#[tokio::test]
async fn a_list_outage_after_a_crash_is_not_a_mint_outage() {
    let mut bench = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut bench).await;
    bench.fault("GET", "/v2/clientIdSecrets", unavailable());
    assert!(
        bench.mint("reader").await.is_err(),
        "it may be a repeated request"
    );
    // The host gives a request up long before.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(91)).await;
    tokio::time::resume();
    let credential = bench.mint("reader").await.unwrap();
    bench.astra.clear_faults();
    bench.tick().await;
    bench.assert_clean(&[&credential], "clearing up goes on");
}

#[tokio::test]
async fn a_list_without_descriptions_is_noticed() {
    for fields in ["legacy", "oas", "no_description"] {
        let bench = AstraMount::mounted().await;
        let knobs = json!({"list_fields": fields});
        bench.astra.set_knobs(knobs).unwrap();
        let limited = json!({"astra_roles": READER, "max_active": 1});
        bench.write("roles/reader", limited).await.unwrap();
        for _ in 0..2 {
            let credential = bench.mint("reader").await.unwrap();
            let told = "max_active of role \"reader\" is not enforced";
            let warnings = &credential.warnings;
            assert!(
                warnings.iter().any(|text| text.starts_with(told)),
                "{fields}: {warnings:?}"
            );
        }
        let status = bench.read("status").await.unwrap();
        let status = &status["configs"]["default"];
        assert_eq!(status["ignores_description"], true);
        // Not 0, which would say that there are none.
        assert!(status.get("live_tokens").is_none(), "{status}");
    }
}

#[tokio::test]
async fn one_answer_without_a_description_switches_no_limit_off() {
    let bench = AstraMount::mounted().await;
    let limited = json!({"astra_roles": READER, "max_active": 2});
    bench.write("roles/reader", limited).await.unwrap();
    let bare = Fault::MissingFields {
        fields: vec!["description".to_owned()],
    };
    bench.fault_once("POST", "*", bare);
    let odd = bench.mint("reader").await.unwrap();
    assert!(!odd.warnings.is_empty());
    bench.mint("reader").await.unwrap();
    let refused = bench.mint("reader").await.unwrap_err().to_string();
    assert!(
        refused.contains("may have no more live tokens"),
        "{refused}"
    );
    // Twice in a row it is how the organization is.
    let knobs = json!({"ignore_description": true});
    bench.astra.set_knobs(knobs).unwrap();
    let more = json!({"astra_roles": READER, "max_active": 5});
    bench.write("roles/reader", more).await.unwrap();
    for is_off in [false, true] {
        let warnings = bench.mint("reader").await.unwrap().warnings;
        let is_told = warnings.iter().any(|text| text.contains("is not enforced"));
        assert_eq!(is_told, is_off, "{warnings:?}");
    }
}
