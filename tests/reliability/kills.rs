//! Processes killed at random under load.

use std::time::Duration;

use harness::Marks;
use harness::Process;
use harness::Storage;
use harness::wait_until;

use crate::load::Load;
use crate::load::Seen;
use crate::reconciliation;
use crate::reconciliation::assert_kept;
use crate::setup;
use harness::SOON;
use harness::TICK;
use harness::TestMount;

const CLIENTS: usize = 32;
/// Kills of each test; `ASTRA_KILLS` changes it, to measure the width of the window.
const KILLS: usize = 10;

fn kills() -> usize {
    std::env::var("ASTRA_KILLS").map_or(KILLS, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn a_plugin_killed_at_random_under_load_leaves_nothing_behind() {
    let mount = setup::mount_with_own_server("plugin-kills", Storage::Memory).await;
    mount.astra.set_latency(Duration::from_millis(250));
    let load = Load::start(CLIENTS, &mount.name, std::slice::from_ref(&mount.api));
    let mut marks = Marks::default();
    for _ in 0..kills() {
        until_busy(&load).await;
        let victim = until_running(&mount).await;
        victim.kill();
        wait_until("the plugin is dead", SOON, async || !victim.is_alive()).await;
        mount.stored.note_marks(&mut marks).await;
    }
    until_busy(&load).await;
    let mut seen = load.stop().await;
    mount.astra.set_latency(Duration::ZERO);
    seen.end_unclear(&mount.api).await;
    mount.until_tick().await;
    check(&mount, &seen, marks, "kills of the plugin").await;
}

#[tokio::test]
async fn a_vault_killed_at_random_under_load_leaves_nothing_behind() {
    let mount = setup::mount_with_own_server("vault-kills", Storage::Raft).await;
    mount.astra.set_latency(Duration::from_millis(250));
    let load = Load::start(CLIENTS, &mount.name, std::slice::from_ref(&mount.api));
    let mut marks = Marks::default();
    for _ in 0..kills() {
        until_busy(&load).await;
        mount.server.kill();
        mount.server.restart().await;
        mount.stored.note_marks(&mut marks).await;
    }
    until_busy(&load).await;
    let mut seen = load.stop().await;
    mount.astra.set_latency(Duration::ZERO);
    seen.end_unclear(&mount.api).await;
    mount.until_tick().await;
    check(&mount, &seen, marks, "kills of Vault").await;
}

/// Waits until some credentials have been handed out, and then for a moment in the middle of others.
async fn until_busy(load: &Load) {
    let enough = load.answered() + fastrand::usize(8..40);
    wait_until("requests are answered", TICK, async || {
        load.answered() >= enough
    })
    .await;
    // The kill has to come at any moment of a request's life: the time is the randomness.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
}

async fn until_running(mount: &TestMount) -> Process {
    wait_until("the plugin runs", SOON, async || {
        mount.plugin.processes(&mount.server).len() == 1
    })
    .await;
    mount.process()
}

async fn check(mount: &TestMount, seen: &Seen, marks: Marks, what: &str) {
    let result = reconciliation::reached(mount, marks, TICK).await;
    assert_kept(&mount.stored, &mount.astra, &seen.kept).await;
    for credential in &seen.revoked {
        assert!(
            !mount.astra.accepts(&credential.token).await,
            "a revocation got lost"
        );
    }
    let (kills, window) = (kills(), result.window.len());
    println!(
        "{kills} {what} under {CLIENTS} clients: {} minted, {} handed out, {} failed requests, 0 \
         orphans, {window} in the window ({} per 1,000 kills)",
        mount.astra.minted(),
        seen.kept.len() + seen.revoked.len() + seen.unclear.len(),
        seen.failures,
        window * 1_000 / kills,
    );
    // On a busy machine the processes take longer for the window, and Astra for the rest does not.
    assert!(
        window <= CLIENTS * kills / 2,
        "most of what a kill interrupts is in the window: {window}"
    );
}
