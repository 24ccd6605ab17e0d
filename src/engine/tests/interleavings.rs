//! Mints, revocations, ticks, faults and deaths of the process in any order: in the end there are as
//! many tokens as callers hold.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::FaultRule;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fault_matrix::variants;
use super::fault_matrix::variants::Variant;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::request;
use crate::engine::testing::virtual_time;
use crate::vault::Backend;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::memory::WriteFault;

/// How many scripts run.
const SCRIPTS: u8 = 120;
/// How long what is lost may be looked for.
const TIMEOUT: Duration = Duration::from_secs(40);

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A caller asks for a credential, while the next steps go on.
    Mint,
    /// A caller asks for a credential and is gone when the answer is there.
    MintForAbsentCaller,
    /// The host ends the lease at this place of those that live.
    Revoke(usize),
    Tick,
    /// Requests with this method go wrong: which fault, and how often.
    Fault(&'static str, usize, u64),
    /// Writes fail: how many work before, and whether the failing one happens.
    LoseStorage(usize, bool),
    /// Faults are over.
    Recover,
    /// The process dies; the next one gets the requests that were in flight once more.
    Die,
    /// The mount is reloaded in an orderly manner.
    Reload,
    /// Time passes, in milliseconds.
    Wait(u64),
}

/// What a script has besides mints, revocations and reloads.  A promise that storage, Astra and the
/// process break together is none that can be kept.
#[derive(Clone, Copy, Debug)]
enum Weather {
    /// Astra fails, and the process dies.
    Upstream,
    /// Storage fails, and the process dies.
    Storage,
    /// Astra and storage fail, and the process lives.
    Both,
}

fn step(weather: Weather) -> impl Strategy<Value = Step> {
    let (astra, storage, death) = match weather {
        Weather::Upstream => (6, 0, 2),
        Weather::Storage => (0, 4, 2),
        Weather::Both => (6, 3, 0),
    };
    let method = prop_oneof![Just("POST"), Just("DELETE"), Just("GET")];
    let fault = (method, any::<usize>(), 1..4_u64)
        .prop_map(|(method, fault, times)| Step::Fault(method, fault, times));
    let lose =
        (0..3_usize, any::<bool>()).prop_map(|(after, written)| Step::LoseStorage(after, written));
    let mut steps = vec![
        (10, Just(Step::Mint).boxed()),
        (3, Just(Step::MintForAbsentCaller).boxed()),
        (6, any::<usize>().prop_map(Step::Revoke).boxed()),
        (3, Just(Step::Tick).boxed()),
        (4, Just(Step::Recover).boxed()),
        (1, Just(Step::Reload).boxed()),
        (6, (0..60_u64).prop_map(Step::Wait).boxed()),
    ];
    for (weight, step) in [
        (astra, fault.boxed()),
        (storage, lose.boxed()),
        (death, Just(Step::Die).boxed()),
    ] {
        if weight > 0 {
            steps.push((weight, step));
        }
    }
    prop::strategy::Union::new_weighted(steps)
}

/// The script with number `seed`, always the same.
fn script(seed: u8, weather: Weather) -> Vec<Step> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let steps = prop::collection::vec(step(weather), 25..60);
    steps.new_tree(&mut runner).unwrap().current()
}

/// Faults that pass, of single requests, and that an answer betrays.
fn faults() -> Vec<Variant> {
    let mut faults = variants::all();
    faults.retain(|fault| {
        !fault.is_of_listener()
            && !fault.needs_sockets()
            && !fault.kills_the_root_token()
            && !["foreign-client", "huge-body"].contains(&fault.name)
    });
    faults
}

#[test]
fn in_the_end_there_is_a_token_for_each_lease_and_no_other() {
    let seeds: Vec<u8> = (0..SCRIPTS).collect();
    let failed = virtual_time::failures(&seeds, |seed| {
        let weather = match seed % 3 {
            0 => Weather::Upstream,
            1 => Weather::Storage,
            _ => Weather::Both,
        };
        let script = script(*seed, weather);
        let text = format!("script {seed}, {weather:?}: {script:?}");
        virtual_time::run((*seed).into(), async {
            Run::new().await.run(script, &text).await
        });
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

struct Run {
    mount: Arc<AstraMount>,
    /// Credentials whose leases live.
    issued: Vec<Credential>,
    /// Those whose revocation has failed so far: whether it took effect, no one can tell.
    ending: Vec<Credential>,
    in_flight: Vec<(Request, JoinHandle<HandlerResult>)>,
}

impl Run {
    async fn new() -> Self {
        let deadlines = Deadlines {
            operation: Duration::from_secs(3),
            // The latest of the late requests takes effect after a second and a half.
            late_create_window: Duration::from_millis(2_500),
            ..Deadlines::default()
        };
        let mount = AstraMount::in_virtual_time(deadlines);
        mount.mount().await;
        let config = json!({"request_timeout": 1, "max_concurrent_requests": 8});
        mount.write("config", config).await.unwrap();
        Self {
            mount: Arc::new(mount),
            issued: Vec::new(),
            ending: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    async fn run(mut self, script: Vec<Step>, text: &str) {
        let faults = faults();
        for step in script {
            match step {
                Step::Mint => self.ask(request(Operation::Read, "creds/reader", json!({}))),
                Step::MintForAbsentCaller => {
                    let asked = self.mount.call(Operation::Read, "creds/reader", json!({}));
                    if let Ok(Some(mut response)) = asked.await {
                        response.undo.take().unwrap().await;
                    }
                }
                Step::Revoke(place) => self.revoke(place).await,
                Step::Tick => drop(self.mount.call(Operation::Rollback, "", json!({})).await),
                Step::Fault(method, place, times) => {
                    let fault = faults[place % faults.len()].fault.clone();
                    let rule = FaultRule::new(fault).on(method, "*").times(times);
                    self.mount.astra.add_fault(rule).unwrap();
                }
                Step::LoseStorage(after, written) => {
                    self.mount.storage.set_write_fault(Some(WriteFault {
                        after,
                        applied: written,
                        once: true,
                        deletions: true,
                        ..WriteFault::default()
                    }))
                }
                Step::Recover => self.recover(),
                Step::Die => self.die().await,
                Step::Reload => {
                    self.finish().await;
                    self.mount.storage.set_write_fault(None);
                    self.mount.cleanup().await;
                    self.restart();
                }
                Step::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            }
            self.receive().await;
        }
        self.end(text).await;
    }

    fn ask(&mut self, asked: Request) {
        let engine: Arc<dyn Backend> = Arc::clone(&self.mount.backend) as _;
        let request = asked.clone();
        let task = tokio::spawn(async move { engine.handle(request).await });
        self.in_flight.push((asked, task));
    }

    /// Callers get what has come for them.
    async fn receive(&mut self) {
        let (ended, in_flight) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|(_, task)| task.is_finished());
        self.in_flight = in_flight;
        for (_, task) in ended {
            self.hold(task.await.unwrap());
        }
    }

    fn hold(&mut self, outcome: HandlerResult) {
        if let Ok(Some(response)) = outcome {
            self.issued.push(Credential::of(response));
        }
    }

    /// Whether nothing failed.
    async fn finish(&mut self) -> bool {
        let mut is_well = true;
        for (_, task) in std::mem::take(&mut self.in_flight) {
            let outcome = task.await.unwrap();
            is_well &= outcome.is_ok();
            self.hold(outcome);
        }
        is_well
    }

    async fn revoke(&mut self, place: usize) {
        if self.issued.is_empty() {
            return;
        }
        let credential = self.issued.remove(place % self.issued.len());
        if self.mount.revoke(&credential).await.is_err() {
            self.ending.push(credential);
        }
    }

    fn recover(&self) {
        self.mount.astra.clear_faults();
        self.mount.storage.set_write_fault(None);
    }

    fn restart(&mut self) {
        let mount = Arc::get_mut(&mut self.mount).expect("no one else uses it");
        mount.restart();
    }

    async fn die(&mut self) {
        let mut repeated = Vec::new();
        for (asked, task) in std::mem::take(&mut self.in_flight) {
            task.abort();
            match task.await {
                Ok(outcome) => self.hold(outcome),
                Err(_) => repeated.push(asked),
            }
        }
        self.restart();
        for asked in repeated {
            self.ask(asked);
        }
        if !self.finish().await {
            // What a failed repetition leaves, this process deletes with its next tick, not the next.
            self.recover();
            self.mount.tick().await;
        }
    }

    async fn end(mut self, text: &str) {
        self.recover();
        self.finish().await;
        let mount = Arc::clone(&self.mount);
        let end = Instant::now() + TIMEOUT;
        loop {
            mount.tick().await;
            let status = mount.read("status").await.unwrap();
            if status["configs"]["default"]["pending_intents"] == 0 {
                break;
            }
            assert!(
                Instant::now() < end,
                "lost tokens are looked for too long; {text}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for credential in &self.ending {
            // A new process cannot know that Astra has deleted a token so young: the host tries again.
            while let Err(error) = mount.revoke(credential).await {
                assert!(
                    error.to_string().contains("has to be tried again") && Instant::now() < end,
                    "{error}; {text}"
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let issued: Vec<&Credential> = self.issued.iter().collect();
        mount.assert_clean(&issued, text);
        assert_eq!(mount.astra.invariants().double_mints, 0, "{text}");
    }
}
