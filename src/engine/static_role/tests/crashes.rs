//! Whatever fails or dies at whichever step, no token is lost or left.

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Matcher;
use serde_json::json;
use std::time::Duration;

use super::current;
use super::refused;
use super::role;
use super::with_role;
use crate::engine::testing::AstraMount;
use crate::engine::testing::until_hung;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

/// What must hold after anything: a new process serves a token that works, and after a tick and the
/// overlap nothing else lives.
async fn assert_healed(bench: &mut AstraMount, what: &str) {
    bench.astra.clear_faults();
    bench.restart();
    let exists = bench
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    let mut issued = Vec::new();
    if exists.unwrap().is_some() {
        issued.push(current(bench).await);
        assert!(bench.is_live(&issued[0]), "{what}: the token does not work");
    }
    bench.tick().await;
    bench.advance(Duration::from_secs(3601));
    bench.tick().await;
    assert_eq!(bench.live(), issued, "{what}");
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
                let mut bench = AstraMount::configured().await;
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
                        AstraMount::configured().await
                    };
                    bench.storage.set_write_fault(Some(WriteFault {
                        prefix: prefix.to_owned(),
                        after,
                        applied: written,
                        all_calls: and_reads,
                        ..WriteFault::default()
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
                    bench.storage.set_write_fault(None);
                    bench.storage.set_failure(None);
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
                let mut bench = AstraMount::configured().await;
                if exists {
                    let mut role = role();
                    role["overlap"] = json!(0);
                    bench.write("static-roles/app", role).await.unwrap();
                }
                let path = if exists {
                    "rotate-role/app"
                } else {
                    "static-roles/app"
                };
                let writing = bench.write(path, role());
                bench.until_request_hangs(nth, committed, writing).await;
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
                    AstraMount::configured().await
                };
                bench.storage.set_write_fault(Some(WriteFault {
                    prefix: prefix.to_owned(),
                    after,
                    applied: written,
                    hangs: true,
                    ..WriteFault::default()
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
