//! Every fault at every call to Astra that the engine makes, the first time and every time.

mod changes;
mod conditions;
mod scenarios;
mod table;
pub mod variants;

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::sync::Arc;
use std::time::Duration;

use astra_emulator::FaultRule;
use astra_emulator::Options;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::virtual_time;
use crate::vault::Error;
use crate::vault::FailureStatus;
use scenarios::Call;
use scenarios::Prepared;
use scenarios::Scenario;
use table::Expected;
use variants::Variant;

/// How long after an operation's deadline it may end, and how long what is late may be waited for.
const TIMEOUT: Duration = Duration::from_secs(60);

const DEADLINES: Deadlines = Deadlines {
    operation: Duration::from_secs(10),
    // The latest of the late requests takes effect half a second after it was given up.
    late_create_window: Duration::from_secs(10),
    status: Duration::from_secs(10),
};

/// Where connections go wrong there are sockets, and so real time, of which a busy machine needs more.
const SOCKET_DEADLINES: Deadlines = Deadlines {
    operation: Duration::from_secs(120),
    late_create_window: Duration::from_secs(30),
    status: Duration::from_secs(30),
};

/// Seconds for an attempt over a socket.
const SOCKET_ATTEMPT: u64 = 20;

/// What is said of a request, or of a list that others wait for too, for which there is no time left.
const OUT_OF_TIME: &str = "the time allowed";

/// How a complaint begins that is about what is left once the faults are over.
const LEFT: &str = "once the faults are over";

/// How many cells with sockets run at a time: enough to use the time in which some wait, too few to take it
/// from each other on a busy machine.
const AT_ONCE: usize = 16;

#[test]
#[ignore = "a step of its own in scripts/test, as it is long: cargo test --lib \
    fault_matrix -- --ignored"]
fn every_fault_at_every_call_ends_as_the_table_says() {
    let cells: Vec<Cell> = chosen(cells(), |cell| !cell.variant.needs_sockets());
    let count = cells.len();
    assert_none(virtual_time::failures(&cells, run_in_virtual_time), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a step of its own in scripts/test, as it is long: cargo test --lib \
    fault_matrix -- --ignored"]
async fn every_fault_of_connections_ends_as_the_table_says() {
    let cells: Vec<Cell> = chosen(cells(), |cell| cell.variant.needs_sockets());
    let count = cells.len();
    assert_none(run_all(cells).await, count);
}

/// For work on some rows: FAULT_ROWS=committed runs those whose name contains it.
fn chosen(cells: Vec<Cell>, wanted: impl Fn(&Cell) -> bool) -> Vec<Cell> {
    let rows = std::env::var("FAULT_ROWS").unwrap_or_default();
    let cells = cells.into_iter().filter(|cell| wanted(cell));
    cells
        .filter(|cell| cell.variant.name.contains(&rows))
        .collect()
}

fn assert_none(mut failed: Vec<String>, count: usize) {
    failed.sort();
    let text = failed.join("\n");
    assert!(
        failed.is_empty(),
        "{} of {count} cells:\n{text}",
        failed.len()
    );
}

/// An operation, a fault, and whether it happens each time.
#[derive(Clone)]
struct Cell {
    scenario: Scenario,
    variant: Variant,
    every_time: bool,
}

impl Display for Cell {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let times = if self.every_time { "always" } else { "once" };
        write!(
            formatter,
            "{:?}, {} {times}",
            self.scenario, self.variant.name
        )
    }
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for scenario in Scenario::ALL {
        for variant in variants::all() {
            for every_time in [false, true] {
                if every_time && variant.kills_the_root_token() {
                    // Once is permanent.
                    continue;
                }
                cells.push(Cell {
                    scenario,
                    variant: variant.clone(),
                    every_time,
                });
            }
        }
    }
    cells
}

/// Runs `cells`, some at a time, and returns those that did not end as expected, with the reason.
async fn run_all(cells: Vec<Cell>) -> Vec<String> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for cell in cells {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let named = cell.to_string();
            let ended = tokio::spawn(async move { run_over_sockets(&cell).await }).await;
            let failed = ended.err();
            failed.map(|error| format!("{named}: {}", virtual_time::words(error.into_panic())))
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        failed.extend(ended.unwrap());
    }
    failed
}

async fn run_over_sockets(cell: &Cell) {
    let options = Options {
        tls: cell.variant.needs_tls(),
        ..Options::default()
    };
    let mount = AstraMount::with(options, SOCKET_DEADLINES).await;
    run(cell, mount, SOCKET_ATTEMPT).await;
}

fn run_in_virtual_time(cell: &Cell) {
    virtual_time::run(1, async {
        run(cell, AstraMount::in_virtual_time(DEADLINES), 1).await;
    })
}

/// One cell: its outcome, its time, and what is left once the faults are over.
async fn run(cell: &Cell, mut mount: AstraMount, attempt: u64) {
    let Cell {
        scenario,
        ref variant,
        every_time,
    } = *cell;
    let longest = mount.deadlines.operation + TIMEOUT;
    let mut prepared = scenario.prepare(&mut mount, attempt).await;
    inject(&mount, scenario.call(), variant, every_time).await;
    let call = scenario.call();
    let sent_before = sent(&mount, call);
    let minted_before = mount.astra.invariants().minted;

    let start = Instant::now();
    let outcome = scenario.act(&mount, &mut prepared).await;
    let took = start.elapsed();
    assert!(took < longest, "it took {took:?}");

    let sent = sent(&mount, call) - sent_before;
    recover(&mount, variant).await;
    let minted = mount.astra.invariants().minted - minted_before;
    let expected = table::expected(variant.name, scenario, every_time);
    let is_revoked_late = scenario == Scenario::Revoke && outcome.is_err();
    check(scenario, variant, expected, outcome, sent, minted);
    if is_revoked_late {
        // The host tries again.  The token may be gone all the same.
        for credential in prepared.issued.drain(..) {
            mount.revoke(&credential).await.unwrap();
        }
    }
    if scenario == Scenario::Mint && variant.name == "foreign-client" {
        return check_unseen_swap(&mount, &prepared);
    }
    let issued: Vec<_> = prepared.issued.iter().collect();
    let is_enough = mount.live().len() == issued.len() + changes::own(&mount).await.len();
    // A tick has deadlines too; what does not fit is for the next one.
    let end = Instant::now() + TIMEOUT;
    while mount.live().len() > issued.len() + changes::own(&mount).await.len()
        && Instant::now() < end
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
        mount.tick().await;
    }
    assert_even(&mount, &issued, &prepared).await;
    changes::check_custom_roles(&mount).await;
    assert!(is_enough, "one tick was not enough");
    // What was handed out works as a lease.
    for credential in &prepared.issued {
        mount.revoke(credential).await.unwrap();
    }
    assert_even(&mount, &[], &prepared).await;
}

/// Nothing is left but what is still leased and what the mount itself uses.
async fn assert_even(mount: &AstraMount, issued: &[&Credential], prepared: &Prepared) {
    let mut expected = changes::own(mount).await;
    expected.extend(issued.iter().map(|issued| issued.client_id.clone()));
    expected.sort();
    assert_eq!(
        mount.live(),
        expected,
        "{LEFT}: live tokens, and those issued"
    );
    let invariants = mount.astra.invariants();
    assert_eq!(invariants.orphans, 0, "{LEFT}: orphans");
    // The operator's root token goes only when another has taken its place.
    let is_replaced = mount.read("config").await.unwrap()["token_client_id"] != prepared.root;
    let replaced = prepared.replaced * u64::from(is_replaced);
    assert!(
        invariants.foreign_deletes <= replaced,
        "{LEFT}: foreign deletes"
    );
    let violations = mount.astra.violations();
    assert!(violations.is_empty(), "{LEFT}: {violations:?}");
    mount.assert_told_truly(LEFT);
}

async fn inject(mount: &AstraMount, call: Call, variant: &Variant, every_time: bool) {
    let mut rule = FaultRule::new(variant.fault.clone());
    if !variant.spoils_the_next() {
        rule = rule.on(call.method(), call.path());
    }
    if !every_time && !variant.is_of_listener() {
        rule = rule.times(1);
    }
    mount.astra.add_fault(rule).unwrap();
    if variant.is_of_listener() {
        // Connections made before are cut, but not in the same instant.
        let end = Instant::now() + TIMEOUT;
        while mount.read("status").await.unwrap()["configs"]["default"]["reachable"] == true {
            assert!(Instant::now() < end, "the fault does not begin");
        }
    }
    if !every_time && variant.is_of_listener() {
        // Such a fault does not see requests, so it lasts for a time: until after the first attempt,
        // before the last.
        let astra = mount.astra.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            astra.clear_faults();
        });
    }
    if variant.spoils_the_next() {
        mount.read("astra-roles/default/").await.unwrap();
    }
}

fn sent(mount: &AstraMount, call: Call) -> usize {
    let journal = mount.astra.journal();
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
async fn recover(mount: &AstraMount, variant: &Variant) {
    mount.astra.clear_faults();
    let end = Instant::now() + TIMEOUT;
    while mount.astra.stats().concurrency > 0 {
        assert!(Instant::now() < end, "a late request never takes effect");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if variant.kills_the_root_token() {
        scenarios::replace_root_token(mount).await;
    }
    mount.tick().await;
    if variant.is_late() {
        // What takes effect after the first tick is for those after it.
        let end = Instant::now() + TIMEOUT;
        while mount.read("status").await.unwrap()["configs"]["default"]["pending_intents"] != 0 {
            assert!(Instant::now() < end, "lost tokens are looked for too long");
            tokio::time::sleep(Duration::from_millis(100)).await;
            mount.tick().await;
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
        (Expected::AnotherToken, Ok(())) => assert!(minted > 1, "{minted} minted"),
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
        let is_late = *error == Error::Internal("timed-out".to_owned());
        let may_be_late = matches!(class, "rate-limited" | "unavailable");
        assert!(
            *error == Error::Internal(class.to_owned()) || is_late && may_be_late,
            "{class} expected, but: {error:?}"
        );
        return;
    }
    let words = match class {
        "bad-request" => "as invalid",
        "conflict" => "because of a conflict",
        "wrong-url" => "there is no Astra DevOps API",
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
        "without-roles" => "lists the root token without Astra roles",
        _ => panic!("no words for {class}"),
    };
    let status = match class {
        "rate-limited" => 503,
        // As of a database that changes its state.
        "conflict" if scenario == Scenario::Bundle => 503,
        "timed-out" => 504,
        _ => 502,
    };
    let text = error.to_string();
    // Anyone who is asked to wait may have no time left to be told so once more.
    let (words, status) = match class {
        "rate-limited" | "unavailable" if text.contains(OUT_OF_TIME) => (OUT_OF_TIME, 504),
        _ => (words, status),
    };
    assert!(text.contains(words), "{class} expected, but: {text}");
    if scenario.only_warns() && matches!(error, Error::Internal(_)) {
        return;
    }
    // Of what Astra does not accept the field is named.
    let is_refused_policy = scenario.keeps_policy() && matches!(class, "forbidden" | "bad-request");
    let names_place = text.contains("config \"default\"");
    assert!(names_place || is_refused_policy, "{text}");
    let is_right_kind = match error {
        // Of a proof that fails the cause is told in words.
        Error::Status {
            status: FailureStatus::BAD_GATEWAY,
            ..
        } if scenario.sends_several() => true,
        Error::Status { status: coded, .. } => coded.code() == status,
        Error::BadRequest(_) => scenario.is_config() || is_refused_policy,
        Error::Internal(_) => matches!(scenario, Scenario::Revoke | Scenario::RevokeOfVanished),
        _ => false,
    };
    assert!(is_right_kind, "{error:?}");
}

/// The one fault that no answer betrays: everything in it fits together, the hash of the secret, the
/// roles and the description, but it names the client id of somebody else's token.  What is handed
/// out does not work.  The token that was made shows in `tokens`, and Astra ends it.
fn check_unseen_swap(mount: &AstraMount, prepared: &Prepared) {
    let live = mount.astra.live_tokens();
    assert_eq!(live.len(), 1);
    assert_ne!(live[0].client_id, prepared.issued[0].client_id);
    assert!(live[0].token_expiry.is_some());
}
