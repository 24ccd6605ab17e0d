//! The one window that the protocol leaves open: the mark is durable, the answer is not read.

use std::time::Duration;

use harness::Credential;
use harness::Marks;
use harness::Storage;
use harness::wait_until;

use crate::binary;
use crate::reconciliation;
use crate::reconciliation::assert_kept;
use crate::setup;
use crate::setup::server;
use harness::SOON;

/// How often the process dies in the window.
const DEATHS: usize = 12;

#[tokio::test]
async fn a_repeated_request_removes_the_first_token() {
    let server = server(Storage::Memory).await;
    let mount = setup::mount(&server, binary::with_failpoints().await, "repeated").await;
    // Vault repeats a request only if it sees the process die before it sees the call fail. Which
    // comes first is chance; what must follow from each is not. (`tests/conformance` has a host that
    // always repeats.)
    let (mut repeated, mut in_the_window) = (Vec::new(), 0);
    let mut marks = Marks::default();
    while repeated.len() + in_the_window < DEATHS {
        mount.arm("mint.completed");
        let reply = mount.read("creds/reader").await;
        if reply.is_ok() {
            assert!(!mount.is_armed(), "the point was not hit");
            repeated.push(Credential::parse(&reply.ok()));
        } else if !mount.is_armed() {
            // A request that came too early after the last death does not get as far as the point.
            in_the_window += 1;
        }
        mount.stored.note_marks(&mut marks).await;
    }
    let result = reconciliation::reached(&mount, marks, SOON).await;
    assert_eq!(
        (result.leased, result.window.len()),
        (repeated.len(), in_the_window),
        "the first token of a repeated request is gone, that of another is not"
    );
    assert_kept(&mount.stored, &mount.astra, &repeated).await;
    println!(
        "of {DEATHS} requests during which the process died, the host repeated {}",
        repeated.len()
    );
}

#[tokio::test]
async fn a_request_that_is_not_repeated_leaves_one_token_which_is_listed_and_expires() {
    let server = server(Storage::Memory).await;
    let mount = setup::mount(&server, binary::with_failpoints().await, "unrepeated").await;
    mount.eventual_credential("reader").await;
    let before = mount.process();
    mount.astra.set_mint_answer_delay(Duration::from_secs(2));
    mount.arm("mint.completed");
    mount
        .abandon_reads_until(Duration::from_millis(400), || !mount.is_armed())
        .await;
    mount.astra.set_mint_answer_delay(Duration::ZERO);
    wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
    let mut marks = Marks::default();
    mount.stored.note_marks(&mut marks).await;

    mount.until_tick().await;
    let result = reconciliation::reached(&mount, marks, SOON).await;
    assert_eq!((result.leased, result.window.len()), (1, 1), "{result:?}");
    let left_behind = &result.window[0];
    let shown = mount
        .api
        .list(&format!("{}/tokens/default", mount.name))
        .await
        .data();
    assert_eq!(shown["key_info"][left_behind]["role"], "reader");
    assert_ne!(shown["key_info"][left_behind]["expires_at"], "");
    // Eight hours of max_ttl and ten minutes of grace.
    let left = mount.astra.seconds_left(left_behind);
    assert!((0..=8 * 3_600 + 600).contains(&left), "{left} s are left");
}
