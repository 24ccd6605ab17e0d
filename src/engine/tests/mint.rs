//! Mints that no caller receives leave no token.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use astra_emulator::WaitFor;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::connection::Connection;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;
use crate::engine::testing::request;
use crate::engine::testing::virtual_time;
use crate::vault::Operation;
use crate::vault::Response;
use crate::vault::Storage;
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

/// A mount for whose tokens one clean list is enough.
async fn without_late_creates() -> AstraMount {
    let deadlines = Deadlines {
        late_create_window: Duration::ZERO,
        ..Deadlines::default()
    };
    let mount = AstraMount::with(Default::default(), deadlines).await;
    mount.mount().await;
    mount
}

/// From now on Astra makes tokens without an answer, and lists none.
fn lose_answers(mount: &AstraMount) {
    mount.fault("POST", "/v2/clientIdSecrets", Fault::ResetAfterCommit {});
    mount.fault("GET", "/v2/clientIdSecrets", forbidden());
}

/// The config `default` as the engine uses it.
async fn connection(mount: &AstraMount) -> Arc<Connection> {
    let configs = &mount.backend.engine.configs;
    configs.find("default").await.unwrap().unwrap()
}

async fn pending(mount: &AstraMount) -> serde_json::Value {
    mount.read("status").await.unwrap()["configs"]["default"]["pending_intents"].clone()
}

/// A mint whose token is made, and whose process then dies.
async fn die_after_the_token_is_made(mount: &mut AstraMount) -> crate::vault::Request {
    let asked = request(Operation::Read, "creds/reader", json!({}));
    let made = WaitFor {
        token_count: Some(mount.live().len() + 1),
        ..WaitFor::default()
    };
    mount.fault_once("POST", "*", Fault::Hang { committed: true });
    tokio::select! {
        _ = mount.handle(asked.clone()) => panic!("the mint ended"),
        in_time = mount.astra.wait(made, SOON) => assert!(in_time),
    }
    mount.restart();
    asked
}

#[tokio::test]
async fn an_answer_that_is_not_delivered_takes_its_token_back() {
    let mount = AstraMount::mounted().await;
    let minted = mount.call(Operation::Read, "creds/reader", json!({})).await;
    undeliver(minted.unwrap().unwrap()).await;
    mount.assert_clean(&[], "undelivered");
    assert_eq!(pending(&mount).await, 0);
    // While the other answer of the same moment stays.
    let kept = mount.mint("reader").await.unwrap();
    mount.tick().await;
    mount.assert_clean(&[&kept], "delivered");
}

#[tokio::test]
async fn a_token_that_could_not_be_taken_back_is_deleted_by_a_tick() {
    let mut mount = AstraMount::mounted().await;
    for dies in [false, true] {
        let minted = mount.call(Operation::Read, "creds/reader", json!({})).await;
        mount.fault("DELETE", "*", forbidden());
        undeliver(minted.unwrap().unwrap()).await;
        mount.astra.clear_faults();
        assert_eq!(mount.live().len(), 1);
        assert_eq!(pending(&mount).await, 1);
        if dies {
            mount.restart();
        }
        mount.tick().await;
        mount.assert_clean(&[], "after one tick");
    }
}

#[tokio::test]
async fn a_token_is_taken_back_without_storage_too() {
    let mount = AstraMount::mounted().await;
    let minted = mount.call(Operation::Read, "creds/reader", json!({})).await;
    mount.storage.set_read_only(true);
    undeliver(minted.unwrap().unwrap()).await;
    mount.assert_clean(&[], "undelivered");
}

#[tokio::test]
async fn a_taken_back_token_is_durably_lost_once_storage_works_again() {
    let mut mount = AstraMount::mounted().await;
    let minted = mount.call(Operation::Read, "creds/reader", json!({})).await;
    mount.storage.set_read_only(true);
    mount.fault("DELETE", "*", forbidden());
    undeliver(minted.unwrap().unwrap()).await;
    mount.storage.set_read_only(false);
    // The tick cannot delete, but it notes; then the process dies.
    mount.tick().await;
    mount.astra.clear_faults();
    assert_eq!(mount.live().len(), 1);
    mount.restart();
    mount.tick().await;
    mount.assert_clean(&[], "the next process knows");
}

#[tokio::test]
async fn a_tick_after_a_crash_deletes_what_no_caller_received_and_nothing_else() {
    let mut mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    mount
        .astra
        .create_token(PortalToken {
            description: "vault:by hand".to_owned(),
            ..PortalToken::default()
        })
        .unwrap();
    die_after_the_token_is_made(&mut mount).await;
    assert_eq!(mount.live().len(), 2);
    let young = mount.mint("reader").await.unwrap();
    mount.tick().await;
    mount.assert_clean(&[&issued, &young], "after a crash");
}

#[tokio::test]
async fn a_request_that_the_host_repeats_replaces_its_first_token() {
    let mut mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    // In the one window, the process dies after the mark is durable; before it, the mark is not.
    for marked in [true, false] {
        let asked = if marked {
            let asked = request(Operation::Read, "creds/reader", json!({}));
            mount.mint_for(asked.clone()).await.unwrap();
            mount.restart();
            asked
        } else {
            die_after_the_token_is_made(&mut mount).await
        };
        let second = mount.mint_for(asked).await.unwrap();
        mount.assert_clean(&[&issued, &second], "repeated");
        mount.tick().await;
        mount.assert_clean(&[&issued, &second], "and a tick later");
        mount.revoke(&second).await.unwrap();
    }
}

/// The list that is read for the repeated request may not show the first token yet, whose mark is durable.
/// The process that repeated it may die as well before a list does.
#[test]
fn the_first_token_of_a_repeated_request_goes_also_where_astra_shows_it_late() {
    for dies_again in [false, true] {
        virtual_time::run(1, first_token_shown_late(dies_again));
    }
}

async fn first_token_shown_late(dies_again: bool) {
    let mut mount = AstraMount::in_virtual_time(Deadlines::default());
    mount.mount().await;
    let received = mount.mint("reader").await.unwrap();
    let unseen = json!({"create_visible_after_ms": 20_000, "create_visible_scope": "list"});
    mount.astra.set_knobs(unseen).unwrap();
    let asked = request(Operation::Read, "creds/reader", json!({}));
    let first = mount.mint_for(asked.clone()).await.unwrap();
    mount.restart();
    let second = mount.mint_for(asked).await.unwrap();
    if dies_again {
        mount.restart();
    }
    for _ in 0..2 {
        mount.tick().await;
        assert!(mount.is_live(&first.client_id), "it is not listed yet");
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    mount.tick().await;
    mount.assert_clean(&[&received, &second], "a tick later");
}

#[test]
fn a_repeated_request_that_fails_leaves_its_first_token_to_a_tick() {
    virtual_time::run(1, async {
        for (method, dies) in [("GET", false), ("DELETE", false), ("DELETE", true)] {
            let mut mount = AstraMount::in_virtual_time(Deadlines {
                operation: Duration::from_secs(1),
                ..Deadlines::default()
            });
            mount.mount().await;
            let asked = request(Operation::Read, "creds/reader", json!({}));
            mount.mint_for(asked.clone()).await.unwrap();
            mount.restart();
            let down = Fault::Status {
                status: 503,
                body: FaultBody::Empty,
                retry_after: None,
                committed: false,
            };
            mount.fault(method, "/v2/clientIdSecrets*", down);
            assert!(mount.mint_for(asked).await.is_err());
            mount.astra.clear_faults();
            assert_eq!(mount.live().len(), 1);
            if dies {
                mount.restart();
            }
            mount.tick().await;
            mount.assert_clean(&[], method);
        }
    });
}

/// Its custom role goes with it, so Astra refuses the mint; to write the role again is not the advice.
#[test]
fn a_mint_whose_role_is_deleted_meanwhile_says_so() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let policy = json!({
            "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-cql"], "effect": "allow",
        });
        mount
            .write("roles/app", json!({"policy": policy}))
            .await
            .unwrap();
        let slow = Fault::Latency {
            ms: 1_000,
            max_ms: None,
            at: Default::default(),
        };
        mount.fault_once("POST", "/v2/clientIdSecrets", slow);
        let delete = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            mount.delete("roles/app", json!({})).await
        };
        let (minted, deleted) = tokio::join!(mount.mint("app"), delete);
        assert!(deleted.is_ok());
        let error = minted.err().unwrap().to_string();
        assert!(error.starts_with("role \"app\" does not exist"), "{error}");
        mount.assert_clean(&[], "nothing is left");
    });
}

#[tokio::test]
async fn a_crash_while_lists_are_refused_does_not_stop_mints() {
    let mut mount = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut mount).await;
    mount.fault("GET", "/v2/clientIdSecrets", forbidden());
    let issued = mount.mint("reader").await.unwrap();
    mount.tick().await;
    assert_eq!(mount.live().len(), 2);
    mount.astra.clear_faults();
    mount.tick().await;
    mount.assert_clean(&[&issued], "once lists are allowed");
}

#[tokio::test]
async fn a_mint_does_not_wait_for_a_tick() {
    let mut mount = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut mount).await;
    mount.fault("DELETE", "*", Fault::Hang { committed: false });
    let mount = Arc::new(mount);
    let ticking = Arc::clone(&mount);
    let tick = tokio::spawn(async move { ticking.tick().await });
    wait_until("the tick hangs in its deletion", SOON, async || {
        mount.astra.stats().concurrency > 0
    })
    .await;
    let issued = tokio::time::timeout(SOON, mount.mint("reader")).await;
    let issued = issued.expect("it does not wait").unwrap();
    tick.abort();
    mount.astra.clear_faults();
    mount.tick().await;
    mount.assert_clean(&[&issued], "in the end");
}

#[tokio::test]
async fn many_lost_tokens_cost_one_list_when_lists_fail() {
    let mount = AstraMount::mounted().await;
    mount.fault("POST", "*", Fault::ResetAfterCommit {});
    mount.fault("GET", "/v2/clientIdSecrets", forbidden());
    for _ in 0..5 {
        assert!(mount.mint("reader").await.is_err());
    }
    assert_eq!(mount.live().len(), 5);
    let before = mount.requests("GET", "/v2/clientIdSecrets");
    mount.tick().await;
    assert_eq!(mount.requests("GET", "/v2/clientIdSecrets"), before + 1);
    mount.astra.clear_faults();
    mount.tick().await;
    mount.assert_clean(&[], "after one tick");
}

#[tokio::test]
async fn an_orderly_end_leaves_nothing_to_look_for() {
    let mut mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    mount.cleanup().await;
    let keys = mount.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/intent/")),
        "{keys:?}"
    );
    mount.restart();
    let before = mount.requests("GET", "/v2/clientIdSecrets");
    mount.tick().await;
    assert_eq!(mount.requests("GET", "/v2/clientIdSecrets"), before);
    mount.assert_clean(&[&issued], "nothing is deleted");
}

#[tokio::test]
async fn blocks_of_a_dead_process_are_removed_once_lists_are_clean() {
    let mut mount = without_late_creates().await;
    die_after_the_token_is_made(&mut mount).await;
    assert_eq!(pending(&mount).await, 1);
    mount.tick().await;
    assert_eq!(pending(&mount).await, 0);
    let keys = mount.storage.keys();
    assert!(
        !keys.iter().any(|key| key.starts_with("v1/intent/")),
        "{keys:?}"
    );
    mount.assert_clean(&[], "clean");
}

#[tokio::test]
async fn another_organizations_list_clears_nothing_up() {
    for (restarts, tried) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut mount = without_late_creates().await;
        let force = json!({"force": true});
        // A config that is written untried does not tell which organization it is for.
        let write = async |mount: &AstraMount, token: &str| {
            let config = mount.config(json!({"token": token, "verify": tried}));
            mount.write("config", config).await.unwrap();
        };
        mount.delete("config", force.clone()).await.unwrap();
        write(&mount, &mount.another_root_token()).await;
        lose_answers(&mount);
        assert!(mount.mint("reader").await.is_err());
        mount.astra.clear_faults();
        let lost = mount.live();
        assert_eq!(lost.len(), 1);
        mount.delete("config", force.clone()).await.unwrap();
        if restarts {
            mount.restart();
        }
        let other = mount.astra.seeds().organizations[2].root_token.clone();
        write(&mount, &other).await;
        mount.tick().await;
        mount.tick().await;
        assert_eq!(mount.live(), lost);
        assert_eq!(pending(&mount).await, 1);
        mount.delete("config", force).await.unwrap();
        write(&mount, &mount.another_root_token()).await;
        mount.tick().await;
        mount.assert_clean(&[], "once the config is the organization's again");
        assert_eq!(pending(&mount).await, 0);
    }
}

#[tokio::test]
async fn what_an_unusable_static_role_may_have_is_looked_for_once_it_is_gone() {
    for restarts in [false, true] {
        let mut mount = without_late_creates().await;
        let role = json!({"astra_roles": READER, "rotation_period": "1h"});
        mount.write("static-roles/app", role).await.unwrap();
        let own = mount.live();
        lose_answers(&mount);
        assert!(mount.write("rotate-role/app", json!({})).await.is_err());
        mount.astra.clear_faults();
        assert_eq!(mount.live().len(), 2);
        let key = "v1/static-role/app";
        let mut entry = mount.storage.get(key).await.unwrap().unwrap();
        entry.value = b"{\"version\":1,".to_vec();
        mount.storage.put(entry).await.unwrap();
        match restarts {
            true => mount.restart(),
            false => mount.invalidate(key).await,
        }
        mount.tick().await;
        mount.tick().await;
        assert_eq!(mount.live().len(), 2);
        assert_eq!(pending(&mount).await, 1);
        let force = json!({"force": true});
        mount.delete("static-roles/app", force).await.unwrap();
        mount.tick().await;
        // Its own was delivered, so it stays.
        assert_eq!(mount.live(), own);
        assert_eq!(pending(&mount).await, 0);
    }
}

#[tokio::test]
async fn callers_at_the_same_time_get_a_token_each() {
    let mount = Arc::new(AstraMount::mounted().await);
    let mints = (0..50).map(|_| {
        let mount = Arc::clone(&mount);
        tokio::spawn(async move { mount.mint("reader").await.unwrap() })
    });
    let mut issued = Vec::new();
    for mint in mints.collect::<Vec<_>>() {
        issued.push(mint.await.unwrap());
    }
    let issued: Vec<&Credential> = issued.iter().collect();
    mount.assert_clean(&issued, "fifty at once");
    assert_eq!(mount.astra.invariants().double_mints, 0);
    assert!(mount.astra.stats().max_concurrency_seen <= 32);
    mount.tick().await;
    mount.assert_clean(&issued, "and a tick");
}

#[tokio::test]
async fn a_create_that_takes_effect_after_the_first_clean_list_is_found() {
    let mut mount = AstraMount::mounted().await;
    let slow = Fault::Latency {
        ms: 1_000,
        max_ms: None,
        at: Default::default(),
    };
    mount.fault_once("POST", "/v2/clientIdSecrets", slow);
    let asked = request(Operation::Read, "creds/reader", json!({}));
    tokio::select! {
        _ = mount.handle(asked) => panic!("the mint ended"),
        () = wait_until("the create is in \
            flight", SOON, async || mount.astra.stats().concurrency > 0) => {}
    }
    // The process dies, and the next one's first lists show nothing.
    mount.restart();
    mount.tick().await;
    mount.tick().await;
    let made = WaitFor {
        token_count: Some(1),
        ..WaitFor::default()
    };
    assert!(mount.astra.wait(made, SOON).await, "it takes effect");
    mount.tick().await;
    mount.assert_clean(&[], "a late create");
}

#[tokio::test]
async fn what_astra_does_not_know_yet_is_taken_back_later() {
    let mount = AstraMount::mounted().await;
    let unseen = json!({"create_visible_after_ms": 60_000, "create_visible_scope": "all"});
    mount.astra.set_knobs(unseen).unwrap();
    let minted = mount.call(Operation::Read, "creds/reader", json!({})).await;
    undeliver(minted.unwrap().unwrap()).await;
    assert_eq!(pending(&mount).await, 1, "it is looked for");
    mount.tick().await;
    assert_eq!(pending(&mount).await, 1, "a list without it proves nothing");
    mount.astra.advance_clock(Duration::from_secs(61));
    mount.tick().await;
    mount.assert_clean(&[], "once it shows");
    assert_eq!(pending(&mount).await, 0);
}

#[tokio::test]
async fn a_list_outage_after_a_crash_is_not_a_mint_outage() {
    let mut mount = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut mount).await;
    mount.fault("GET", "/v2/clientIdSecrets", unavailable());
    assert!(
        mount.mint("reader").await.is_err(),
        "it may be a repeated request"
    );
    // The host gives a request up long before.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(91)).await;
    tokio::time::resume();
    let credential = mount.mint("reader").await.unwrap();
    mount.astra.clear_faults();
    mount.tick().await;
    mount.assert_clean(&[&credential], "clearing up goes on");
}

#[tokio::test]
async fn a_list_without_descriptions_is_noticed() {
    for fields in ["legacy", "oas", "no_description"] {
        let mount = AstraMount::mounted().await;
        let knobs = json!({"list_fields": fields});
        mount.astra.set_knobs(knobs).unwrap();
        let limited = json!({"astra_roles": READER, "max_active": 1});
        mount.write("roles/reader", limited).await.unwrap();
        for _ in 0..2 {
            let credential = mount.mint("reader").await.unwrap();
            let told = "max_active of role \"reader\" is not enforced";
            let warnings = &credential.warnings;
            assert!(
                warnings.iter().any(|text| text.starts_with(told)),
                "{fields}: {warnings:?}"
            );
        }
        let status = mount.read("status").await.unwrap();
        let status = &status["configs"]["default"];
        assert_eq!(status["ignores_description"], true);
        // Not 0, which would say that there are none.
        assert!(status.get("live_tokens").is_none(), "{status}");
    }
}

#[tokio::test]
async fn a_list_with_empty_descriptions_is_noticed_once_a_token_was_made() {
    let mount = AstraMount::mounted().await;
    let knobs = json!({"list_fields": "empty_description"});
    mount.astra.set_knobs(knobs).unwrap();
    let limited = json!({"astra_roles": READER, "max_active": 1});
    mount.write("roles/reader", limited).await.unwrap();
    let first = mount.mint("reader").await.unwrap();
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    let second = mount.mint("reader").await.unwrap();
    let told = "max_active of role \"reader\" is not enforced";
    let warnings = &second.warnings;
    assert!(
        warnings.iter().any(|text| text.starts_with(told)),
        "{warnings:?}"
    );
    let status = mount.read("status").await.unwrap();
    let status = &status["configs"]["default"];
    assert_eq!(status["ignores_description"], true);
    assert!(status.get("live_tokens").is_none(), "{status}");
    mount.delete("roles/reader", json!({})).await.unwrap();
    let refused = mount.delete("config/default", json!({})).await;
    let words = "an unknown number of live tokens";
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains(words), "{refused}");
}

#[tokio::test]
async fn one_list_without_descriptions_switches_no_limit_off() {
    let mount = AstraMount::mounted().await;
    let limited = json!({"astra_roles": READER, "max_active": 1});
    mount.write("roles/reader", limited).await.unwrap();
    mount.mint("reader").await.unwrap();
    for (fields, is_limited) in [("no_description", false), ("full", true)] {
        let knobs = json!({"list_fields": fields});
        mount.astra.set_knobs(knobs).unwrap();
        let outcome = mount.mint("reader").await;
        match outcome {
            Err(error) if is_limited => {
                let refused = error.to_string();
                assert!(
                    refused.contains("it has 2, its max_active is 1"),
                    "{refused}"
                );
            }
            Ok(_) if !is_limited => {}
            other => panic!("{fields}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn one_answer_without_a_description_switches_no_limit_off() {
    let mount = AstraMount::mounted().await;
    let limited = json!({"astra_roles": READER, "max_active": 2});
    mount.write("roles/reader", limited).await.unwrap();
    let bare = Fault::MissingFields {
        fields: vec!["description".to_owned()],
    };
    mount.fault_once("POST", "*", bare);
    let odd = mount.mint("reader").await.unwrap();
    assert!(!odd.warnings.is_empty());
    mount.mint("reader").await.unwrap();
    let refused = mount.mint("reader").await.unwrap_err().to_string();
    assert!(
        refused.contains("may have no more live tokens"),
        "{refused}"
    );
    // Twice in a row it is how the organization is.
    let knobs = json!({"ignore_description": true});
    mount.astra.set_knobs(knobs).unwrap();
    let more = json!({"astra_roles": READER, "max_active": 5});
    mount.write("roles/reader", more).await.unwrap();
    for is_off in [false, true] {
        let warnings = mount.mint("reader").await.unwrap().warnings;
        let is_told = warnings.iter().any(|text| text.contains("is not enforced"));
        assert_eq!(is_told, is_off, "{warnings:?}");
    }
}

/// Storage that was restored does not say what became of later tokens of a block, but it does say what
/// was lost before.
#[tokio::test]
async fn what_was_lost_before_a_snapshot_goes_from_where_it_is_restored() {
    let mut mount = without_late_creates().await;
    lose_answers(&mount);
    mount.mint("reader").await.unwrap_err();
    mount.astra.clear_faults();
    let lost = mount.live();
    assert!(!lost.is_empty());
    // As on a busy mount: nothing ticks between the loss and the snapshot.
    let blocks = mount.storage.keys().into_iter();
    let blocks = blocks.filter(|key| key.starts_with("v1/intent/"));
    let mut snapshot = Vec::new();
    for key in blocks {
        snapshot.push(mount.storage.get(&key).await.unwrap().unwrap());
    }
    let first = mount.mint("reader").await.unwrap();
    let second = mount.mint("reader").await.unwrap();
    for entry in snapshot {
        mount.storage.put(entry).await.unwrap();
    }
    mount.restart();
    mount.tick().await;
    for client_id in &lost {
        assert!(!mount.is_live(client_id), "{client_id}");
    }
    assert!(mount.is_live(&first.client_id) && mount.is_live(&second.client_id));
}

#[test]
fn a_used_up_block_stays_while_its_requests_may_be_repeated_and_then_goes() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let connection = connection(&mount).await;
        let ledger = &connection.ledger;
        // One for another organization uses the block up.
        ledger.begin(Some("one")).await.unwrap().cancel();
        let open = ledger.begin(Some("two")).await.unwrap();
        let blocks = || {
            let keys = mount.storage.keys().into_iter();
            keys.filter(|key| key.starts_with("v1/intent/")).count()
        };
        mount.tick().await;
        tokio::time::advance(Duration::from_secs(50)).await;
        mount.tick().await;
        assert_eq!(blocks(), 2);
        tokio::time::advance(Duration::from_secs(11)).await;
        mount.tick().await;
        assert_eq!(blocks(), 1);
        assert_eq!(ledger.open(), 1, "the other goes on");
        open.cancel();
    });
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted_although_it_counts_as_lost() {
    let mount = AstraMount::mounted().await;
    let connection = connection(&mount).await;
    let root = connection.entry.token_client_id();
    let intent = connection.ledger.begin(None).await.unwrap();
    intent.lose(Some(root.to_owned())).await;
    mount.tick().await;
    assert!(mount.is_live(root));
    assert_eq!(pending(&mount).await, 1);
}

#[tokio::test]
async fn one_list_shows_all_first_tries() {
    let mut mount = AstraMount::mounted().await;
    die_after_the_token_is_made(&mut mount).await;
    let lists = |mount: &AstraMount| mount.requests("GET", "/v2/clientIdSecrets");
    let before = lists(&mount);
    for _ in 0..3 {
        mount.mint("reader").await.unwrap();
    }
    assert_eq!(lists(&mount) - before, 1);
}
