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
async fn assert_healed(mount: &mut AstraMount, first: &str, what: &str) {
    mount.astra.clear_faults();
    mount.restart();
    let root = root_of(mount).await;
    assert!(mount.is_live(&root), "{what}: locked out");
    mount.tick().await;
    let root_after = root_of(mount).await;
    assert_eq!(root, root_after, "{what}: a tick changed the root token");
    assert!(mount.is_live(&root), "{what}: a tick locked the mount out");
    let others: Vec<_> = mount.live();
    let others: Vec<_> = others.iter().filter(|other| **other != root).collect();
    assert!(others.is_empty(), "{what}: left behind {others:?}");
    assert_eq!(
        mount.is_live(first),
        root == first,
        "{what}: the replaced token lives"
    );
    let rotated = rotate(mount).await.unwrap();
    assert!(
        warnings(rotated).is_empty(),
        "{what}: the next rotation warns"
    );
    assert_ne!(root_of(mount).await, root, "{what}");
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
            let mut mount = AstraMount::configured().await;
            let first = root_of(&mount).await;
            let before = mount.all_requests();
            let mut rule = FaultRule::new(fault.clone()).times(1);
            rule.matcher = Matcher {
                nth: Some(nth),
                ..Matcher::default()
            };
            mount.astra.add_fault(rule).unwrap();
            let what = format!("{} at request {nth}", fault.kind());
            let rotated = rotate(&mount).await;
            let reached = (mount.all_requests() - before) as u64 >= nth;
            if let Err(error) = &rotated {
                assert_eq!(root_of(&mount).await, first, "{what}: {error}");
            }
            assert_healed(&mut mount, &first, &what).await;
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
            for fault in WriteFault::each_way(prefix, after) {
                let mut mount = AstraMount::configured().await;
                let first = root_of(&mount).await;
                mount.storage.set_write_fault(Some(fault.clone()));
                let rotated = rotate(&mount).await;
                let what = format!("{fault:?}: {:?}", rotated.err());
                // The same process goes on first, then another takes over.
                mount.storage.set_write_fault(None);
                mount.storage.set_failure(None);
                let root = root_of(&mount).await;
                assert!(mount.is_live(&root), "{what}: locked out");
                mount.tick().await;
                assert!(mount.is_live(&root), "{what}: a tick locked the mount out");
                mount.storage.drop_cache();
                assert_healed(&mut mount, &first, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_request() {
    for committed in [false, true] {
        for nth in 1..=10 {
            let mut mount = AstraMount::configured().await;
            let first = root_of(&mount).await;
            mount
                .until_request_hangs(nth, committed, rotate(&mount))
                .await;
            let what = format!("dead at request {nth}, committed: {committed}");
            assert_healed(&mut mount, &first, &what).await;
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_write() {
    for prefix in ["v1/config/", "v1/intent/"] {
        for after in 0..3 {
            for written in [false, true] {
                let mut mount = AstraMount::configured().await;
                let first = root_of(&mount).await;
                mount.storage.set_write_fault(Some(WriteFault {
                    prefix: prefix.to_owned(),
                    after,
                    applied: written,
                    hangs: true,
                    ..WriteFault::default()
                }));
                until_hung(&mount.storage, rotate(&mount)).await;
                let what = format!("dead at {prefix} {after}, written: {written}");
                assert_healed(&mut mount, &first, &what).await;
            }
        }
    }
}
