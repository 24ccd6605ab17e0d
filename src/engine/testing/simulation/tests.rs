//! Runs of the simulation.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use super::history::History;
use super::run::run;
use super::shrink::kind;
use super::shrink::shrink;

/// How many operations a history has.
const OPERATIONS: usize = 300;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Panics with a short history if this one breaks a promise.
fn check(history: &History) {
    let outcome = run(history, false);
    let Some(first) = outcome.violations.first() else {
        return;
    };
    println!("seed {}: {:#?}", history.seed, outcome.violations);
    let wanted = kind(first);
    let fails = |history: &History| {
        let violations = run(history, false).violations;
        violations.iter().any(|violation| kind(violation) == wanted)
    };
    let shortest = shrink(history, fails);
    let outcome = run(&shortest, true);
    for line in &outcome.trace {
        println!("{line}");
    }
    panic!(
        "seed {}: {:#?}\nreplay: scripts/simulate --history '{}'",
        history.seed,
        outcome.violations,
        shortest.text()
    );
}

#[test]
fn a_history_replays_exactly() {
    for seed in 1..=3 {
        let history = History::generate(seed, 120);
        let read = History::parse(&history.text()).unwrap();
        let (first, second) = (run(&history, true), run(&read, true));
        for (one, other) in first.trace.iter().zip(&second.trace) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.minted > 10, "{}", first.minted);
    }
}

#[test]
fn what_once_broke_a_promise_does_so_no_more() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/simulation/histories.jsonl"
    );
    let text = fs::read_to_string(path).unwrap();
    let histories = text.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in histories {
        let outcome = run(&History::parse(line).unwrap(), false);
        assert!(
            outcome.violations.is_empty(),
            "{line}: {:#?}",
            outcome.violations
        );
        count += 1;
    }
    assert!(count > 1);
}

/// `scripts/simulate` says which seeds; otherwise it is some.
#[test]
fn promises_hold_for_seeds() {
    if let Ok(text) = std::env::var("SIMULATE_HISTORY") {
        let text = fs::read_to_string(&text).unwrap_or(text);
        return check(&History::parse(&text).unwrap());
    }
    let from = number("SIMULATE_FROM").unwrap_or(1);
    let seeds = number("SIMULATE_SEEDS").unwrap_or(3);
    let time = number("SIMULATE_SECONDS").map(Duration::from_secs);
    let began = Instant::now();
    let surveys = std::env::var_os("SIMULATE_SURVEY").is_some();
    let (mut done, mut broken, mut requests, mut minted) = (0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    for seed in from..from + seeds {
        if time.is_some_and(|time| began.elapsed() >= time) {
            break;
        }
        let history = History::generate(seed, OPERATIONS);
        let outcome = run(&history, false);
        match outcome.violations.first() {
            Some(first) if surveys => {
                broken += 1;
                println!("seed {seed}: {first} ({} in all)", outcome.violations.len());
            }
            Some(_) => check(&history),
            None => {}
        }
        done += 1;
        requests += outcome.requests;
        minted += outcome.minted;
        slowest = slowest.max(outcome.recovered_after);
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "seeds {from} to {}: {done} histories of {OPERATIONS} operations in {took:.1} s, {:.0} \
         operations a second; {requests} requests to Astra, {minted} tokens; {broken} seeds broke \
         a promise; in order {} s after the last trouble at the latest",
        from + done - 1,
        (done as usize * OPERATIONS) as f64 / took,
        slowest.as_secs()
    );
}
