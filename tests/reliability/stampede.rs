//! More at once than Astra lets through.

use std::time::Duration;
use std::time::Instant;

use futures_util::StreamExt;
use harness::Credential;
use harness::Process;
use harness::Storage;
use harness::leases;
use harness::wait_until;
use serde_json::json;

use crate::stage::Stage;

/// Requests to an organization at once, unless the config says otherwise.
const CONCURRENCY: usize = 32;
/// How much more memory than an idle plugin one may take that deals with thousands at once.
const MEMORY_KB: u64 = 96 * 1024;
/// How long Astra takes, so that requests do pile up.
const LATENCY: Duration = Duration::from_millis(20);
const LEASES: usize = 5_000;
/// How long Vault may take to end them all.
const LONG: Duration = Duration::from_secs(240);

#[tokio::test]
async fn readers_in_a_crowd_wait_or_are_told_to_come_again() {
    const READERS: usize = 200;
    let stage = Stage::with_own_server("crowd", Storage::Memory).await;
    let idle = stage.process().rss_kb();
    stage.astra.set_latency(LATENCY);
    stage.astra.limit_rate(Some(6));
    stage.astra.emulator.reset_concurrency();
    let start = Instant::now();
    let reads = (0..READERS).map(|_| stage.read("creds/reader"));
    let replies = futures_util::future::join_all(reads).await;
    let took = start.elapsed();
    let rss = stage.process().rss_kb();
    let seen = stage.astra.emulator.stats().max_concurrency_seen;
    stage.astra.limit_rate(None);

    let (good, bad): (Vec<_>, Vec<_>) = replies.into_iter().partition(harness::Reply::is_ok);
    for reply in &bad {
        let text = reply.body.to_string();
        assert!(
            matches!(reply.status, 500 | 503 | 504) && text.contains("cannot mint a token"),
            "{} {text}",
            reply.status
        );
    }
    println!(
        "{READERS} readers at 6 requests a second: {} served, {} told to come again, {took:.0?}, {seen} requests at once, RSS {idle} to {rss} kB",
        good.len(),
        bad.len()
    );
    assert!(good.len() >= READERS / 2, "too few were served");
    assert!(took < Duration::from_secs(90), "the host gives up then");
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB);
    let kept: Vec<_> = good
        .into_iter()
        .map(|reply| Credential::parse(&reply.ok()))
        .collect();
    stage.until_tick().await;
    let balance = stage.settled(crate::stage::TICK).await;
    assert_eq!((balance.leased, balance.window.len()), (kept.len(), 0));
    assert_eq!(irrevocable(&stage).await, 0);
}

#[tokio::test]
async fn thousands_of_leases_end_in_the_same_minute() {
    let stage = Stage::with_own_server("thousands", Storage::Memory).await;
    stage.role("brief", "50s", "1h").await;
    let idle = stage.process().rss_kb();
    stage.astra.set_latency(LATENCY);
    stage.astra.emulator.reset_concurrency();
    let start = Instant::now();
    mint(&stage, "brief").await;
    let minted = start.elapsed();
    let rss = until_ended(&stage).await;
    let seen = stage.astra.emulator.stats().max_concurrency_seen;
    println!(
        "{LEASES} leases of 50 s: minted in {minted:.0?}, all ended {:.0?} after the first, {seen} requests at once, RSS \
         {idle} to at most {rss} kB",
        start.elapsed()
    );
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB, "{idle} kB grew to {rss} kB");
    assert_eq!(irrevocable(&stage).await, 0);
    let invariants = stage.astra.emulator.invariants();
    assert_eq!((invariants.live_tokens, invariants.orphans), (0, 0));
}

#[tokio::test]
async fn thousands_of_tokens_that_are_gone_already_share_lists() {
    let stage = Stage::with_own_server("gone", Storage::Memory).await;
    mint(&stage, "reader").await;
    for client_id in stage.astra.live() {
        stage.astra.delete(&client_id);
    }
    let idle = stage.process().rss_kb();
    stage.astra.set_latency(LATENCY);
    stage.astra.emulator.reset_concurrency();
    let before = stage.astra.emulator.stats().requests;
    let start = Instant::now();
    let path = format!("sys/leases/revoke-prefix/{}", stage.mount);
    stage.api.write(&path, json!({ "sync": false })).await.ok();
    let rss = until_ended(&stage).await;
    let (took, seen) = (
        start.elapsed(),
        stage.astra.emulator.stats().max_concurrency_seen,
    );
    let (mut lists, mut deletes) = (0, 0);
    for entry in stage.astra.emulator.journal_since(before) {
        match entry.method.as_str() {
            "GET" => lists += 1,
            "DELETE" => deletes += 1,
            _ => {}
        }
    }
    println!(
        "{LEASES} revocations of tokens that are gone: {deletes} deletes, {lists} lists, {took:.0?}, {seen} requests at once, \
         RSS {idle} to at most {rss} kB"
    );
    assert!(lists * 10 <= LEASES, "{lists} lists");
    assert!((4..=CONCURRENCY).contains(&seen), "{seen} requests at once");
    assert!(rss < idle + MEMORY_KB, "{idle} kB grew to {rss} kB");
    assert_eq!(irrevocable(&stage).await, 0);
}

async fn mint(stage: &Stage, role: &str) {
    let path = format!("creds/{role}");
    futures_util::stream::iter(0..LEASES)
        .for_each_concurrent(64, |_| async {
            stage.read(&path).await.ok();
        })
        .await;
}

/// Waits until no lease and no token is left; the most memory that the plugin took meanwhile, in kB.
async fn until_ended(stage: &Stage) -> u64 {
    let plugin: Process = stage.process();
    let mut rss = 0;
    wait_until("all tokens have ended", LONG, async || {
        rss = rss.max(plugin.rss_kb());
        stage.astra.emulator.invariants().live_tokens == 0
    })
    .await;
    wait_until("all leases have ended", LONG, async || {
        rss = rss.max(plugin.rss_kb());
        leases(&stage.api, &format!("{}/", stage.mount))
            .await
            .is_empty()
    })
    .await;
    rss
}

/// Leases that Vault has given up.
async fn irrevocable(stage: &Stage) -> u64 {
    let counted = stage
        .api
        .read("sys/leases/count?type=irrevocable")
        .await
        .data();
    counted["lease_count"].as_u64().expect("a count")
}
