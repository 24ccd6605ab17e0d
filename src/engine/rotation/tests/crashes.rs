//! Whatever fails or dies at whichever step, no caller is locked out and nothing is left.

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Matcher;

use super::refused;
use super::root_of;
use super::rotate;
use crate::engine::testing::AstraMount;
use crate::engine::testing::until_hung;
use crate::engine::testing::warnings;
use crate::vault::memory::WriteFault;

/// What must hold after anything: a new process has a root token that works, and after a tick
/// nothing else that rotation minted lives.
async fn assert_healed(bench: &mut AstraMount, first: &str, what: &str) {
    bench.astra.clear_faults();
    bench.restart();
    let root = root_of(bench).await;
    assert!(bench.is_live(&root), "{what}: locked out");
    bench.tick().await;
    let root_after = root_of(bench).await;
    assert_eq!(root, root_after, "{what}: a tick changed the root token");
    assert!(bench.is_live(&root), "{what}: a tick locked the mount out");
    let others: Vec<_> = bench.live();
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
            let mut bench = AstraMount::configured().await;
            let first = root_of(&bench).await;
            let before = bench.all_requests();
            let mut rule = FaultRule::new(fault.clone()).times(1);
            rule.matcher = Matcher {
                nth: Some(nth),
                ..Matcher::default()
            };
            bench.astra.add_fault(rule).unwrap();
            let what = format!("{} at request {nth}", fault.kind());
            let rotated = rotate(&bench).await;
            let reached = (bench.all_requests() - before) as u64 >= nth;
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
                let mut bench = AstraMount::configured().await;
                let first = root_of(&bench).await;
                bench.storage.set_write_fault(Some(WriteFault {
                    prefix: prefix.to_owned(),
                    after,
                    applied: written,
                    all_calls: and_reads,
                    ..WriteFault::default()
                }));
                let rotated = rotate(&bench).await;
                let what = format!(
                    "{prefix} {after} {written} {and_reads}: {:?}",
                    rotated.err()
                );
                // The same process goes on first, then another takes over.
                bench.storage.set_write_fault(None);
                bench.storage.set_failure(None);
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
            let mut bench = AstraMount::configured().await;
            let first = root_of(&bench).await;
            bench
                .until_request_hangs(nth, committed, rotate(&bench))
                .await;
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
                let mut bench = AstraMount::configured().await;
                let first = root_of(&bench).await;
                bench.storage.set_write_fault(Some(WriteFault {
                    prefix: prefix.to_owned(),
                    after,
                    applied: written,
                    hangs: true,
                    ..WriteFault::default()
                }));
                until_hung(&bench.storage, rotate(&bench)).await;
                let what = format!("dead at {prefix} {after}, written: {written}");
                assert_healed(&mut bench, &first, &what).await;
            }
        }
    }
}
