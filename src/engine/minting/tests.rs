//! Mints that are answered oddly, and tokens that are not taken: how many creates are sent, and what is left.

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::Value;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::change_answers;
use crate::engine::testing::fall_behind_after_missed_deletions;
use crate::engine::testing::virtual_time;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

const CREATE: &str = "/v2/clientIdSecrets";

fn answer(status: u16, body: FaultBody, committed: bool) -> Fault {
    Fault::Status {
        status,
        body,
        retry_after: None,
        committed,
    }
}

async fn mount() -> AstraMount {
    let mount = AstraMount::in_virtual_time(Deadlines::default());
    mount.mount().await;
    mount
}

async fn pending(mount: &AstraMount) -> Value {
    mount.read_data("status").await["configs"]["default"]["pending_intents"].clone()
}

async fn root_of(mount: &AstraMount) -> String {
    let config = mount.read_data("config").await;
    config["token_client_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_mint_that_a_rate_limit_refuses_is_sent_again() {
    virtual_time::run(1, async {
        for committed in [false, true] {
            let mount = mount().await;
            mount.fault_once("POST", CREATE, answer(429, FaultBody::String, committed));
            let issued = mount.mint("reader").await.unwrap();
            assert_eq!(mount.requests("POST", CREATE), 2);
            mount.until_all_is_shown().await;
            mount.assert_clean(&[&issued], "what the refused one may have made");
        }
    });
}

#[test]
fn a_rate_limit_that_does_not_end_ends_a_mint() {
    virtual_time::run(1, async {
        let mount = mount().await;
        mount.fault("POST", CREATE, answer(429, FaultBody::String, false));
        let began = tokio::time::Instant::now();
        assert!(mount.mint("reader").await.is_err());
        assert!(began.elapsed() <= mount.deadlines.operation);
        let sent = mount.requests("POST", CREATE);
        assert!((2..60).contains(&sent), "{sent}");
    });
}

/// Each try may have made a token that is looked for and deleted: there are few of them.
#[test]
fn a_mint_whose_outcome_stays_unknown_is_sent_three_times() {
    virtual_time::run(1, async {
        let mount = mount().await;
        mount.fault("POST", CREATE, Fault::ResetAfterCommit {});
        assert!(mount.mint("reader").await.is_err());
        assert_eq!(mount.requests("POST", CREATE), 3);
        mount.astra.clear_faults();
        mount.until_all_is_shown().await;
        mount.assert_clean(&[], "after three tries");
    });
}

/// What a filter between Astra and the engine refuses once it refuses again.
#[test]
fn a_mint_that_something_before_astra_refuses_is_not_sent_again() {
    virtual_time::run(1, async {
        for committed in [false, true] {
            let mount = mount().await;
            mount.fault_once("POST", CREATE, answer(403, FaultBody::BlockPage, committed));
            assert!(mount.mint("reader").await.is_err());
            assert_eq!(mount.requests("POST", CREATE), 1);
            mount.until_all_is_shown().await;
            mount.assert_clean(&[], "a refused mint");
        }
    });
}

/// A proxy that answers with what it told another client must not make the engine hand out, or delete,
/// that client's token.
#[test]
fn an_answer_about_another_clients_token_is_not_handed_out() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        change_answers(&mount.astra, |request, answer| {
            if request.method() == http::Method::POST {
                answer["description"] = json!("a token of somebody else");
            }
        });
        mount.mount().await;
        let error = mount.mint("reader").await.unwrap_err().to_string();
        assert!(error.contains("another token"), "{error}");
        // The list tells which token is the mint's own.
        mount.until_all_is_shown().await;
        mount.assert_clean(&[], "what was made all the same");
    });
}

#[test]
fn a_token_without_an_end_is_not_taken_where_its_end_was_refused() {
    virtual_time::run(1, async {
        let mount = mount().await;
        mount
            .astra
            .set_knobs(json!({"ignore_expiry": true}))
            .unwrap();
        mount.fault_once("POST", CREATE, answer(400, FaultBody::Errors, false));
        assert!(mount.mint("reader").await.is_err());
        mount.until_all_is_shown().await;
        mount.assert_clean(&[], "it would never end");
    });
}

/// The token of a rotation that fails carries a tag, by which it is deleted, or none, where the
/// organization keeps no descriptions: then it is deleted by its id.
#[test]
fn a_token_that_does_not_work_is_deleted_at_once_with_a_tag_or_without() {
    virtual_time::run(1, async {
        for ignores in [false, true] {
            let mount = mount().await;
            let knobs = json!({
                "ignore_description": ignores,
                "create_visible_after_ms": 600_000, "create_visible_scope": "auth",
            });
            mount.astra.set_knobs(knobs).unwrap();
            assert!(mount.write("rotate-root", json!({})).await.is_err());
            assert!(mount.live().is_empty(), "{ignores}");
            assert_eq!(pending(&mount).await, 0, "nothing is left to look for");
        }
    });
}

/// Without tags only the process that minted the token knows it: it deletes it as soon as storage tells that
/// it is not in use, however many ticks that takes.
#[test]
fn a_token_of_which_storage_does_not_tell_is_decided_about_later() {
    virtual_time::run(1, async {
        for is_stored in [false, true] {
            let mount = mount().await;
            let first = root_of(&mount).await;
            let ignores = json!({"ignore_description": true});
            mount.astra.set_knobs(ignores).unwrap();
            mount.storage.set_write_fault(Some(WriteFault {
                prefix: "v1/config/".to_owned(),
                applied: is_stored,
                all_calls: true,
                ..WriteFault::default()
            }));
            assert!(mount.write("rotate-root", json!({})).await.is_err());
            mount.storage.set_write_fault(None);
            for _ in 0..2 {
                let tick = mount.call(Operation::Rollback, "", json!({}));
                assert!(tick.await.is_err(), "storage cannot be read");
                assert_eq!(mount.live().len(), 1, "it may be in use");
            }
            mount.storage.set_failure(None);
            // Nor when only a part of it can be read.
            mount.storage.set_unreadable(Some("v1/static-role/"));
            let tick = mount.call(Operation::Rollback, "", json!({}));
            assert!(tick.await.is_err());
            mount.storage.set_unreadable(None);
            mount.until_all_is_shown().await;
            let root = root_of(&mount).await;
            assert_eq!(root != first, is_stored);
            assert!(mount.is_live(&root));
            assert_eq!(mount.live().len(), usize::from(is_stored));
        }
    });
}

/// The host says that a write failed; what storage holds is another process's.
#[test]
fn a_token_that_storage_does_not_hold_is_not_taken() {
    virtual_time::run(1, async {
        let mount = mount().await;
        let role = json!({"astra_roles": crate::engine::testing::READER, "rotation_period": "1d"});
        mount.write("static-roles/app", role).await.unwrap();
        let before = mount.read_data("static-creds/app").await;
        mount.storage.set_write_fault(Some(WriteFault {
            prefix: "v1/static-role/".to_owned(),
            once: true,
            ..WriteFault::default()
        }));
        assert!(mount.write("rotate-role/app", json!({})).await.is_err());
        assert_eq!(
            mount.read_data("static-creds/app").await["token"],
            before["token"]
        );
        assert_eq!(mount.live(), [before["client_id"].as_str().unwrap()]);
    });
}

/// What is lost and not deleted yet stays named, whatever the list says.
#[test]
fn a_lost_token_that_could_not_be_deleted_is_not_forgotten() {
    virtual_time::run(1, async {
        let mount = mount().await;
        mount.fault("POST", CREATE, Fault::ResetAfterCommit {});
        mount.fault("DELETE", "*", answer(403, FaultBody::String, false));
        assert!(mount.mint("reader").await.is_err());
        let lost = mount.live().len();
        assert!(lost > 0);
        mount.until_all_is_shown().await;
        assert_eq!(mount.live().len(), lost);
        assert_eq!(pending(&mount).await, lost);
        mount.astra.clear_faults();
        mount.tick().await;
        mount.assert_clean(&[], "once deletions work");
        assert_eq!(pending(&mount).await, 0);
    });
}

/// A list shows the token, `DELETE` does not know it yet, and the next list is from a server that is behind.
#[test]
fn a_refused_token_that_astra_does_not_know_yet_is_deleted_later() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        fall_behind_after_missed_deletions(&mount.astra);
        mount.mount().await;
        let knobs = json!({
            "create_visible_after_ms": 10_000, "create_visible_scope": "delete",
            "rewrite_expiry": { "life_s": 315_360_000 },
        });
        mount.astra.set_knobs(knobs).unwrap();
        assert!(mount.mint("reader").await.is_err());
        assert_eq!(mount.live().len(), 1, "it was deleted at once");
        mount.until_all_is_shown().await;
        mount.assert_clean(&[], "what was refused");
    });
}

/// A mark of which storage says that it failed may hide its token from the next process, so the token is gone
/// before this one dies, also where Astra does not know it at once.
#[test]
fn a_mint_whose_mark_is_hidden_leaves_no_token() {
    virtual_time::run(1, async {
        let mut mount = mount().await;
        let first = mount.mint("reader").await.unwrap();
        let late = json!({"create_visible_after_ms": 5_000, "create_visible_scope": "all"});
        mount.astra.set_knobs(late).unwrap();
        mount.storage.set_write_fault(Some(WriteFault {
            prefix: "v1/intent/".to_owned(),
            applied: true,
            once: true,
            all_calls: true,
            ..WriteFault::default()
        }));
        assert!(mount.mint("reader").await.is_err());
        mount.storage.set_failure(None);
        mount.restart();
        mount.until_all_is_shown().await;
        mount.assert_clean(&[&first], "the mark was durable");
    });
}
