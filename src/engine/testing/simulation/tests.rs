//! Runs of the simulation.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;

use super::history::History;
use super::run::Outcome;
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

/// Panics with a short history if this one breaks a promise. `SIMULATE_SHRINK=0` spares the time.
fn check(history: &History) {
    let outcome = run(history, false);
    let Some(first) = outcome.violations.first() else {
        return;
    };
    assert_ne!(number("SIMULATE_SHRINK"), Some(0), "{first:?}");
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
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
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
    let surveys = std::env::var_os("SIMULATE_SURVEY").is_some();
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let totals = Mutex::new(Totals::default());
    // Each seed is played by one thread, as all that it depends on is the thread's own.
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_late = time.is_some_and(|time| began.elapsed() >= time);
                    let is_over = is_late || (!surveys && !totals.lock().broken.is_empty());
                    if seed - from >= seeds || is_over {
                        return;
                    }
                    let outcome = run(&History::generate(seed, OPERATIONS), false);
                    totals.lock().add(seed, &outcome);
                }
            });
        }
    });
    let totals = totals.into_inner();
    let took = began.elapsed().as_secs_f64();
    println!(
        "seeds from {from}: {} histories of {OPERATIONS} operations in {took:.1} s, {:.0} operations a second; {} requests to \
         Astra, {} tokens; {} seeds broke a promise; in order {} s after the last trouble at the latest",
        totals.done,
        (totals.done * OPERATIONS) as f64 / took,
        totals.requests,
        totals.minted,
        totals.broken.len(),
        totals.slowest.as_secs()
    );
    match totals.broken.first() {
        Some(seed) if !surveys => check(&History::generate(*seed, OPERATIONS)),
        _ => {}
    }
}

/// What came of all seeds.
#[derive(Default)]
struct Totals {
    done: usize,
    requests: u64,
    minted: u64,
    slowest: Duration,
    broken: BTreeSet<u64>,
}

impl Totals {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        if let Some(first) = outcome.violations.first() {
            self.broken.insert(seed);
            println!("seed {seed}: {first} ({} in all)", outcome.violations.len());
        }
        self.done += 1;
        self.requests += outcome.requests;
        self.minted += outcome.minted;
        self.slowest = self.slowest.max(outcome.recovered_after);
    }
}
