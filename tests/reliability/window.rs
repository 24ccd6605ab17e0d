//! The one window that the protocol leaves open: the mark is durable, the answer is not read.

use std::time::Duration;

use harness::Credential;
use harness::Storage;
use harness::wait_until;

use crate::balance::assert_kept;
use crate::binary;
use crate::stage::SOON;
use crate::stage::Stage;
use crate::stage::server;

/// How often the process dies in the window.
const DEATHS: usize = 12;

#[tokio::test]
async fn a_repeated_request_removes_the_first_token() {
    let server = server(Storage::Memory).await;
    let stage = Stage::new(&server, binary::with_crash_points().await, "repeated").await;
    // Vault repeats a request only if it sees the process die before it sees the call fail. Which
    // comes first is chance; what must follow from each is not. (`tests/conformance` has a host that
    // always repeats.)
    let (mut repeated, mut in_the_window) = (Vec::new(), 0);
    while repeated.len() + in_the_window < DEATHS {
        stage.arm("mint.completed");
        let reply = stage.read("creds/reader").await;
        if reply.is_ok() {
            assert!(!stage.is_armed(), "the point was not hit");
            repeated.push(Credential::parse(&reply.ok()));
        } else if !stage.is_armed() {
            // A request that came too early after the last death does not get as far as the point.
            in_the_window += 1;
        }
    }
    let balance = stage.settled(SOON).await;
    assert_eq!(
        (balance.leased, balance.window.len()),
        (repeated.len(), in_the_window),
        "the first token of a repeated request is gone, that of another is not"
    );
    assert_kept(&stage.stored, &stage.astra, &repeated).await;
    println!(
        "of {DEATHS} requests during which the process died, the host repeated {}",
        repeated.len()
    );
}

#[tokio::test]
async fn a_request_that_nobody_repeats_leaves_a_token_that_is_shown_and_ends_by_itself() {
    let server = server(Storage::Memory).await;
    let stage = Stage::new(&server, binary::with_crash_points().await, "unrepeated").await;
    stage.credential("reader").await;
    let before = stage.process();
    stage.astra.set_mint_answer_delay(Duration::from_secs(2));
    stage.arm("mint.completed");
    stage
        .go_away_until(Duration::from_millis(400), || !stage.is_armed())
        .await;
    stage.astra.set_mint_answer_delay(Duration::ZERO);
    wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;

    stage.until_tick().await;
    let balance = stage.settled(SOON).await;
    assert_eq!(
        (balance.leased, balance.window.len()),
        (1, 1),
        "{balance:?}"
    );
    let left_behind = &balance.window[0];
    let shown = stage
        .api
        .list(&format!("{}/tokens/default", stage.mount))
        .await
        .data();
    assert_eq!(shown["key_info"][left_behind]["role"], "reader");
    assert_ne!(shown["key_info"][left_behind]["expires_at"], "");
    // Eight hours of max_ttl and ten minutes of grace.
    let left = stage.astra.seconds_left(left_behind);
    assert!((0..=8 * 3_600 + 600).contains(&left), "{left} s are left");
}
