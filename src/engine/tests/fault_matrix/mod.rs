//! Every fault at every call to Astra that the engine makes, the first time and every time.

mod scenarios;
mod table;
mod variants;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::bench::Bench;
use crate::engine::Deadlines;
use crate::vault::Error;
use scenarios::Call;
use scenarios::Scenario;
use scenarios::Stage;
use table::Expected;
use variants::Variant;

/// What a busy machine may add to any time.
const PATIENCE: Duration = Duration::from_secs(20);

const DEADLINES: Deadlines = Deadlines {
    operation: Duration::from_secs(5),
    // The latest of the late requests takes effect half a second after it was given up.
    settle: Duration::from_secs(2),
};

/// How many cells run at a time: nearly all of their time they wait.
const AT_ONCE: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "its deadlines are short, so it wants a machine of its own: cargo test --lib fault_matrix -- --ignored"]
async fn every_fault_at_every_call_ends_as_the_table_says() {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut cells = JoinSet::new();
    let mut hosts = 0;
    let mut names = std::collections::HashMap::new();
    for scenario in Scenario::ALL {
        // One cell's port, while it is closed, must not become another's.
        hosts += 1;
        let host = Ipv4Addr::new(127, 64, 0, hosts);
        for variant in variants::all() {
            for every_time in [false, true] {
                if every_time && variant.kills_the_root_token() {
                    // Once is for good.
                    continue;
                }
                let times = if every_time { "always" } else { "once" };
                let name = format!("{scenario:?}, {} {times}", variant.name);
                let (permits, variant) = (Arc::clone(&permits), variant.clone());
                let cell = async move {
                    let _permit = permits.acquire_owned().await.unwrap();
                    run(scenario, &variant, every_time, host).await;
                };
                names.insert(cells.spawn(cell).id(), name);
            }
        }
    }
    let count = cells.len();
    let mut failed = Vec::new();
    while let Some(ended) = cells.join_next().await {
        if let Err(error) = ended {
            let panic = error.id();
            let text = match error.into_panic().downcast::<String>() {
                Ok(text) => *text,
                Err(_) => "it failed".to_owned(),
            };
            failed.push(format!("{}: {text}", names[&panic]));
        }
    }
    failed.sort();
    let text = failed.join("\n");
    assert!(
        failed.is_empty(),
        "{} of {count} cells:\n{text}",
        failed.len()
    );
}

/// One cell: its outcome, its time, and what is left once the faults are over.
async fn run(scenario: Scenario, variant: &Variant, every_time: bool, host: Ipv4Addr) {
    let host = match variant.fault {
        Fault::NoListen {} => host,
        _ => Ipv4Addr::LOCALHOST,
    };
    let options = Options {
        api: (host, 0).into(),
        tls: variant.needs_tls(),
        ..Options::default()
    };
    let mut bench = Bench::with(options, DEADLINES).await;
    let mut stage = scenario.prepare(&mut bench).await;
    inject(&bench, scenario.call(), variant, every_time).await;
    let call = scenario.call();
    let sent_before = sent(&bench, call);
    let minted_before = bench.astra.invariants().minted;

    let start = Instant::now();
    let outcome = scenario.act(&bench, &mut stage).await;
    let took = start.elapsed();
    assert!(took < DEADLINES.operation + PATIENCE, "it took {took:?}");

    let sent = sent(&bench, call) - sent_before;
    recover(&bench, variant).await;
    let minted = bench.astra.invariants().minted - minted_before;
    let expected = table::expected(variant.name, scenario, every_time);
    let is_revoked_late = scenario == Scenario::Revoke && outcome.is_err();
    check(scenario, variant, expected, outcome, sent, minted);
    if is_revoked_late {
        // The host tries again.  The token may be gone all the same.
        for credential in stage.held.drain(..) {
            bench.revoke(&credential).await.unwrap();
        }
    }
    if scenario == Scenario::Mint && variant.name == "foreign-client" {
        return check_unseen_swap(&bench, &stage);
    }
    let held: Vec<_> = stage.held.iter().collect();
    bench.assert_clean(&held, "once the faults are over");
    // What was handed out works as a lease.
    for credential in &stage.held {
        bench.revoke(credential).await.unwrap();
    }
    bench.assert_clean(&[], "in the end");
}

async fn inject(bench: &Bench, call: Call, variant: &Variant, every_time: bool) {
    let mut rule = FaultRule::new(variant.fault.clone());
    if !variant.spoils_the_next() {
        rule = rule.on(call.method(), call.path());
    }
    if !every_time && !variant.is_of_listener() {
        rule = rule.times(1);
    }
    bench.astra.add_fault(rule).unwrap();
    if !every_time && variant.is_of_listener() {
        // Such a fault does not see requests, so it lasts for a time: until after the first attempt,
        // before the last.
        let astra = bench.astra.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            astra.clear_faults();
        });
    }
    if every_time && variant.is_of_listener() {
        // Connections made before are cut, but not in the same instant.
        let end = Instant::now() + PATIENCE;
        while bench.read("status").await.unwrap()["configs"]["default"]["reachable"] == true {
            assert!(Instant::now() < end, "the fault does not begin");
        }
    }
    if variant.spoils_the_next() {
        bench.read("astra-roles/default/").await.unwrap();
    }
}

fn sent(bench: &Bench, call: Call) -> usize {
    let journal = bench.astra.journal();
    let glob = call.path();
    let is_sent = |path: &str| match glob.strip_suffix('*') {
        Some(folder) => path.starts_with(folder),
        None => path == glob,
    };
    let matching = journal
        .iter()
        .filter(|entry| entry.method == call.method() && is_sent(&entry.path));
    matching.count()
}

/// The faults are over, and the host ticks once.
async fn recover(bench: &Bench, variant: &Variant) {
    bench.astra.clear_faults();
    if variant.kills_the_root_token() {
        scenarios::replace_root_token(bench).await;
    }
    bench.tick().await;
    if variant.is_late() {
        // What takes effect after the first tick is for those after it.
        let end = Instant::now() + PATIENCE;
        while bench.read("status").await.unwrap()["configs"]["default"]["pending_intents"] != 0 {
            assert!(Instant::now() < end, "lost tokens are looked for too long");
            tokio::time::sleep(Duration::from_millis(100)).await;
            bench.tick().await;
        }
    }
}

fn check(
    scenario: Scenario,
    variant: &Variant,
    expected: Expected,
    outcome: Result<(), Error>,
    sent: usize,
    minted: u64,
) {
    // A request on a broken connection does not arrive, and a late one is counted when it ends.
    let is_counted = !variant.is_of_listener() && !variant.spoils_the_next() && !variant.is_late();
    match (expected, outcome) {
        (Expected::Error(_), Ok(())) if scenario.is_tick() => {}
        (Expected::Error(class), Err(error)) => {
            let is_hidden = scenario.undoes() && !variant.is_of_listener();
            check_error(
                scenario,
                if is_hidden { "disconnected" } else { class },
                &error,
            );
        }
        (Expected::Error(class), Ok(())) => panic!("{class} expected, but it succeeded"),
        (Expected::Chance(class), Err(error)) => check_error(scenario, class, &error),
        (_, Err(error)) => panic!("{expected:?} expected, but: {error:?}"),
        (Expected::Anew, Ok(())) => assert!(minted > 1, "{minted} minted"),
        (Expected::Again, Ok(())) if is_counted => assert!(sent > 1, "sent {sent} times"),
        (Expected::Ok, Ok(())) if is_counted => {
            // A new config asks for the token list twice: to list it, and to check its probe.
            let most = if scenario.is_config() { 2 } else { 1 };
            assert!(sent <= most, "sent {sent} times");
        }
        (_, Ok(())) => {}
    }
}

/// The status and the words that the caller sees.
fn check_error(scenario: Scenario, class: &str, error: &Error) {
    if scenario.is_tick() {
        return;
    }
    if scenario.is_status() {
        return assert_eq!(*error, Error::Internal(class.to_owned()));
    }
    let words = match class {
        "disconnected" => "broke during",
        "forbidden" => "the root token may not do",
        "malformed" => "cannot be understood",
        "rate-limited" => "limits the rate of requests",
        "redirected" => "redirects are not followed",
        "timed-out" => "timed out",
        "too-large" => "is larger than",
        "unauthorized" => "Astra rejected the root token",
        "unavailable" => "Astra failed at",
        "unreachable" => "cannot be reached for",
        _ => panic!("no words for {class}"),
    };
    let status = match class {
        "rate-limited" => 503,
        "timed-out" => 504,
        _ => 502,
    };
    let text = error.to_string();
    assert!(text.contains(words), "{class} expected, but: {text}");
    assert!(text.contains("config \"default\""), "{text}");
    let is_right_kind = match error {
        Error::Coded { status: coded, .. } => *coded == status,
        Error::BadRequest(_) => scenario.is_config(),
        Error::Internal(_) => matches!(scenario, Scenario::Revoke | Scenario::RevokeOfVanished),
        _ => false,
    };
    assert!(is_right_kind, "{error:?}");
}

/// The one fault that no answer betrays: everything in it fits together, the hash of the secret, the
/// roles and the description, but it names the client id of somebody else's token.  What is handed
/// out does not work.  The token that was made shows in `tokens`, and Astra ends it.
fn check_unseen_swap(bench: &Bench, stage: &Stage) {
    let live = bench.astra.live_tokens();
    assert_eq!(live.len(), 1);
    assert_ne!(live[0].client_id, stage.held[0].client_id);
    assert!(live[0].token_expiry.is_some());
}
