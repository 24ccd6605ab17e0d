//! More at once than Astra lets through.

use std::time::Duration;
use std::time::Instant;

use futures_util::StreamExt;
use harness::Credential;
use harness::Marks;
use harness::Process;
use harness::Storage;
use harness::leases;
use harness::wait_until;
use serde_json::json;

use harness::TestMount;

use crate::reconciliation;
use crate::setup;

/// Requests to an organization at once, unless the config says otherwise.
const CONCURRENCY: usize = 32;
/// How much more memory than an idle plugin one may take that deals with thousands at once.
const MEMORY_KB: u64 = 96 * 1024;
/// How long Astra takes, so that requests do pile up.
const LATENCY: Duration = Duration::from_millis(20);
const LEASES: usize = 5_000;
/// How long after its mint a token may be absent in Astra without being gone.
const VISIBLE_AFTER: Duration = Duration::from_secs(30);
/// How long Vault may go on without ending one more lease. It waits up to eight minutes before it
/// tries a revocation again.
const WITHOUT_PROGRESS: Duration = Duration::from_secs(600);

#[tokio::test]
async fn many_readers_at_once_wait_or_get_an_error_that_may_be_retried() {
    const READERS: usize = 200;
    let mount = setup::mount_with_own_server("crowd", Storage::Memory).await;
    let idle = mount.process().rss_kb();
    mount.astra.set_latency(LATENCY);
    mount.astra.limit_rate(Some(6));
    mount.astra.emulator.reset_concurrency();
    let start = Instant::now();
    let reads = (0..READERS).map(|_| mount.read("creds/reader"));
    let replies = futures_util::future::join_all(reads).await;
    let took = start.elapsed();
    let rss = mount.process().rss_kb();
    let seen = mount.astra.emulator.stats().max_concurrency_seen;
    mount.astra.limit_rate(None);

    let (good, bad): (Vec<_>, Vec<_>) = replies.into_iter().partition(harness::Reply::is_ok);
    // The host gives up after 90 seconds, and says something else.
    for reply in &bad {
        let text = reply.body.to_string();
        assert!(
            matches!(reply.status, 500 | 503 | 504) && text.contains("cannot mint a token"),
            "{} {text}",
            reply.status
        );
    }
    println!(
        "{READERS} readers at 6 requests a second: {} served, {} refused as overloaded, \
         {took:.0?}, {seen} requests at once, RSS {idle} to {rss} kB",
        good.len(),
        bad.len()
    );
    assert!(good.len() >= READERS / 2, "too few were served");
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB);
    let kept: Vec<_> = good
        .into_iter()
        .map(|reply| Credential::parse(&reply.ok()))
        .collect();
    mount.until_tick().await;
    let result = reconciliation::reached(&mount, Marks::default(), harness::TICK).await;
    assert_eq!((result.leased, result.window.len()), (kept.len(), 0));
    assert_eq!(irrevocable(&mount).await, 0);
}

#[tokio::test]
async fn thousands_of_leases_end_in_the_same_minute() {
    let mount = setup::mount_with_own_server("thousands", Storage::Memory).await;
    mount.role("brief", "50s", "1h").await;
    let idle = mount.process().rss_kb();
    mount.astra.set_latency(LATENCY);
    mount.astra.emulator.reset_concurrency();
    let start = Instant::now();
    mint(&mount, "brief").await;
    let minted = start.elapsed();
    let rss = until_ended(&mount).await;
    let seen = mount.astra.emulator.stats().max_concurrency_seen;
    println!(
        "{LEASES} leases of 50 s: minted in {minted:.0?}, all ended {:.0?} after the first, {seen} \
         requests at once, RSS {idle} to at most {rss} kB",
        start.elapsed()
    );
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB, "{idle} kB grew to {rss} kB");
    assert_eq!(irrevocable(&mount).await, 0);
    let invariants = mount.astra.emulator.invariants();
    assert_eq!((invariants.live_tokens, invariants.orphans), (0, 0));
}

#[tokio::test]
async fn thousands_of_tokens_that_are_gone_already_share_lists() {
    let mount = setup::mount_with_own_server("gone", Storage::Memory).await;
    mint(&mount, "reader").await;
    // The absence of a token that is younger proves nothing, and its revocation is tried again.
    tokio::time::sleep(VISIBLE_AFTER).await;
    for client_id in mount.astra.live() {
        mount.astra.delete(&client_id);
    }
    let idle = mount.process().rss_kb();
    mount.astra.set_latency(LATENCY);
    mount.astra.emulator.reset_concurrency();
    let before = mount.astra.emulator.stats().requests;
    let start = Instant::now();
    let path = format!("sys/leases/revoke-prefix/{}", mount.name);
    mount.api.write(&path, json!({ "sync": false })).await.ok();
    let rss = until_ended(&mount).await;
    let (took, seen) = (
        start.elapsed(),
        mount.astra.emulator.stats().max_concurrency_seen,
    );
    let (mut lists, mut deletes) = (0, 0);
    for entry in mount.astra.emulator.journal_since(before) {
        match entry.method.as_str() {
            "GET" => lists += 1,
            "DELETE" => deletes += 1,
            _ => {}
        }
    }
    println!(
        "{LEASES} revocations of tokens that are gone: {deletes} deletes, {lists} lists, \
         {took:.0?}, {seen} requests at once, RSS {idle} to at most {rss} kB"
    );
    assert!(
        lists * 10 <= LEASES,
        "{lists} lists for {LEASES} revocations"
    );
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB, "{idle} kB grew to {rss} kB");
    assert_eq!(irrevocable(&mount).await, 0);
}

async fn mint(mount: &TestMount, role: &str) {
    let path = format!("creds/{role}");
    futures_util::stream::iter(0..LEASES)
        .for_each_concurrent(64, |_| async {
            mount.read(&path).await.ok();
        })
        .await;
}

/// Waits until no lease and no token is left; the most memory that the plugin took meanwhile, in kB.
async fn until_ended(mount: &TestMount) -> u64 {
    let plugin: Process = mount.process();
    let prefix = format!("{}/", mount.name);
    let mut rss = 0;
    let mut left = usize::MAX;
    while left > 0 {
        let before = left;
        wait_until("one more lease has ended", WITHOUT_PROGRESS, async || {
            rss = rss.max(plugin.rss_kb());
            let tokens = mount.astra.emulator.invariants().live_tokens;
            left = tokens + leases(&mount.api, &prefix).await.len();
            left < before
        })
        .await;
    }
    rss
}

/// Leases that Vault has given up.
async fn irrevocable(mount: &TestMount) -> u64 {
    let counted = mount
        .api
        .read("sys/leases/count?type=irrevocable")
        .await
        .data();
    counted["lease_count"].as_u64().expect("a count")
}
