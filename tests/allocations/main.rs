//! What the hot path allocates, against a recorded budget.
//!
//! A credential is minted, renewed and revoked as in the plugin process, from the bytes of the host's
//! message to the bytes of the answer: protobuf, framework, engine, intents in storage in memory, and the
//! HTTP client to an Astra that is a process of its own. Allocations are counted, not timed, so the
//! machine and what else it does make no difference.
//!
//! `cargo test --test allocations` prints the table and fails when a figure is above its budget, or so far
//! below that the budget is no longer one. The budget is `tests/allocations/budget.json`.
//! `cargo test --test allocations -- profile` writes `dhat-heap.json`, which tells who allocates: open it with
//! DHAT's viewer (<https://nnethercote.github.io/dh_view/dh_view.html>).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

mod budget;
mod count;
mod mount;
mod upstream;

use std::process::ExitCode;

use budget::Budget;
use budget::Line;
use count::Cost;
use futures_util::future::join_all;
use mount::Mounted;
use upstream::Upstream;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The argument that makes this program write a profile instead of counting.
const PROFILE: &str = "profile";
/// Requests at once while a profile is taken, as many as Vault revokes at once.
const AT_ONCE: usize = 200;
/// Requests before counting starts: connections, caches and a first block of intents.
const WARM_UP: usize = 50;
/// Requests of each kind that are counted; each has its own count, of which the lowest decile is taken.
const COUNTED: usize = 201;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(upstream::ARGUMENT) {
        upstream::serve();
        return ExitCode::SUCCESS;
    }
    let upstream = Upstream::start();
    // One thread, as in the plugin.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if std::env::args().nth(1).as_deref() == Some(PROFILE) {
        runtime.block_on(profile(&upstream));
        return ExitCode::SUCCESS;
    }
    let lines = runtime.block_on(measure(&upstream));
    let (table, failures) = budget::judge(&lines, &Budget::load());
    println!("{table}");
    for failure in &failures {
        println!("error: {failure}");
    }
    match failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Mints and revokes, one after the other and many at once, and writes down who allocated.
async fn profile(upstream: &Upstream) {
    let mount = Mounted::new(upstream).await;
    let _profiler = dhat::Profiler::builder().trim_backtraces(Some(60)).build();
    for clients in [1, AT_ONCE] {
        for round in 0..10 {
            let requests: Vec<_> = (0..clients)
                .map(|client| Mounted::mint_request(round * clients + client))
                .collect();
            let minted = join_all(requests.iter().map(|request| mount.handle(request))).await;
            let requests: Vec<_> = minted
                .iter()
                .map(|reply| Mounted::lease_request("revoke", &mount::lease_of(reply)))
                .collect();
            join_all(requests.iter().map(|request| mount.handle(request))).await;
        }
    }
}

async fn measure(upstream: &Upstream) -> Vec<Line> {
    let mount = Mounted::new(upstream).await;
    let (mut mints, mut renewals, mut revocations) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WARM_UP + COUNTED {
        let request = Mounted::mint_request(number);
        let (mint, reply) = count::of(mount.handle(&request)).await;
        let lease = mount::lease_of(&reply);
        let request = Mounted::lease_request("renew", &lease);
        let (renewal, reply) = count::of(mount.handle(&request)).await;
        mount::succeeded(&reply);
        let request = Mounted::lease_request("revoke", &lease);
        let (revocation, reply) = count::of(mount.handle(&request)).await;
        mount::succeeded(&reply);
        if number >= WARM_UP {
            mints.push(mint);
            renewals.push(renewal);
            revocations.push(revocation);
        }
    }
    let (list_peak, listed) = count::peak_of(mount.count_tokens()).await;
    assert_eq!(listed, upstream::TOKENS);
    vec![
        Line::new("mint", Cost::lowest_decile(&mints)),
        Line::new("renew", Cost::lowest_decile(&renewals)),
        Line::new("revoke", Cost::lowest_decile(&revocations)),
        Line::peak("list", list_peak),
    ]
}
