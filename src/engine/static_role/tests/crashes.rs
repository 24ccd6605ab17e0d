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
async fn assert_healed(mount: &mut AstraMount, what: &str) {
    mount.astra.clear_faults();
    mount.restart();
    let exists = mount
        .call(Operation::Read, "static-roles/app", json!({}))
        .await;
    let mut issued = Vec::new();
    if exists.unwrap().is_some() {
        issued.push(current(mount).await);
        assert!(mount.is_live(&issued[0]), "{what}: the token does not work");
    }
    mount.tick().await;
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert_eq!(mount.live(), issued, "{what}");
    mount.write("static-roles/app", role()).await.unwrap();
    mount.write("rotate-role/app", json!({})).await.unwrap();
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
                let mut mount = AstraMount::configured().await;
                if exists {
                    let mut role = role();
                    role["overlap"] = json!(0);
                    mount.write("static-roles/app", role).await.unwrap();
                }
                let mut rule = FaultRule::new(fault.clone()).times(1);
                rule.matcher = Matcher {
                    nth: Some(nth),
                    ..Matcher::default()
                };
                mount.astra.add_fault(rule).unwrap();
                let what = format!("{} at request {nth}, exists: {exists}", fault.kind());
                let path = if exists {
                    "rotate-role/app"
                } else {
                    "static-roles/app"
                };
                let _ = mount.write(path, role()).await;
                assert_healed(&mut mount, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn whichever_write_fails_no_token_is_lost_or_left() {
    for exists in [false, true] {
        for prefix in ["v1/static-role/", "v1/intent/"] {
            for after in 0..2 {
                for fault in WriteFault::each_way(prefix, after) {
                    let mut mount = if exists {
                        with_role().await
                    } else {
                        AstraMount::configured().await
                    };
                    mount.storage.set_write_fault(Some(fault.clone()));
                    let path = if exists {
                        "rotate-role/app"
                    } else {
                        "static-roles/app"
                    };
                    let done = mount.write(path, role()).await;
                    let what = format!("{fault:?}, exists: {exists}: {:?}", done.err());
                    // The same process goes on first, then another takes over.
                    mount.storage.set_write_fault(None);
                    mount.storage.set_failure(None);
                    mount.tick().await;
                    mount.storage.drop_cache();
                    assert_healed(&mut mount, &what).await;
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
                let mut mount = AstraMount::configured().await;
                if exists {
                    let mut role = role();
                    role["overlap"] = json!(0);
                    mount.write("static-roles/app", role).await.unwrap();
                }
                let path = if exists {
                    "rotate-role/app"
                } else {
                    "static-roles/app"
                };
                let writing = mount.write(path, role());
                mount.until_request_hangs(nth, committed, writing).await;
                let what =
                    format!("dead at request {nth}, committed: {committed}, exists: {exists}");
                assert_healed(&mut mount, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_write() {
    for prefix in ["v1/static-role/", "v1/intent/"] {
        for after in 0..2 {
            for (written, exists) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut mount = if exists {
                    with_role().await
                } else {
                    AstraMount::configured().await
                };
                mount.storage.set_write_fault(Some(WriteFault {
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
                until_hung(&mount.storage, mount.write(path, role())).await;
                let what =
                    format!("dead at {prefix} {after}, written: {written}, exists: {exists}");
                assert_healed(&mut mount, &what).await;
            }
        }
    }
}
