//! Running a history.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::chance;
use super::history::History;
use super::host::TICK;
use super::operation::Operation;
use super::operation::RootToken;
use super::world::World;
use crate::engine::testing::virtual_time;

/// The shortest time after the last trouble until all must be in order: creates that were on their way
/// may still take effect.
const RECOVERY_WAIT: Duration = Duration::from_secs(240);
/// A root token that ends so soon after the last trouble may have had no tick that could rotate it: an
/// operator who looks then sees that it has ended.
const LAST_LOOK: Duration = Duration::from_secs(2 * TICK.as_secs());
/// The longest: waits between tries grow up to an hour.
const RECOVERY_LIMIT: Duration = Duration::from_secs(4_500);

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The promises that were broken, in order.
    pub violations: Vec<String>,
    /// The log, if it was kept.
    pub trace: Vec<String>,
    /// How long it took after the last trouble until all was in order.
    pub recovered_after: Duration,
    /// How many requests there were to Astra.
    pub requests: u64,
    /// How many tokens were minted.
    pub minted: u64,
}

/// Runs a history on this thread.
pub fn run(history: &History, keeps_trace: bool) -> Outcome {
    virtual_time::run(history.seed, play(history.clone(), keeps_trace))
}

/// What each organization has when a history begins.
fn begun_with(org: usize) -> Vec<Operation> {
    let role = |role, policy, max_ttl| Operation::WriteRole {
        org,
        role,
        policy,
        ttl: 120,
        max_ttl,
        config: None,
    };
    let fixed = |role, policy| Operation::WriteStatic {
        org,
        role,
        policy,
        period: 180,
        overlap: None,
    };
    vec![
        role(0, None, 600),
        role(1, Some(0), 300),
        role(2, None, 60),
        fixed(0, None),
        fixed(1, Some(1)),
    ]
}

async fn play(history: History, keeps_trace: bool) -> Outcome {
    let world = World::new(history.seed, history.orgs, keeps_trace);
    let neighbour = history.has_neighbour.then(|| world.beside());
    let worlds: Vec<_> = std::iter::once(&world).chain(&neighbour).collect();
    for world in &worlds {
        world.max_active.set(history.max_active);
        world.begin().await;
    }
    let mut running = tokio::task::JoinSet::new();
    for step in history.steps {
        tokio::time::sleep(Duration::from_millis(step.after_ms)).await;
        world
            .trace
            .note(format_args!("{} {:?}", step.number, step.operation));
        let seed = chance::mix(history.seed, step.number);
        let own = Rc::clone(match (&neighbour, step.elsewhere) {
            (Some(neighbour), true) => neighbour,
            _ => &world,
        });
        running.spawn_local(chance::scoped(seed, async move {
            own.perform(step.operation).await;
        }));
        // So that what happens at once has happened.
        tokio::task::yield_now().await;
        worlds.iter().for_each(|world| world.check_leases());
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
        worlds.iter().for_each(|world| world.check_leases());
    }
    let mut recovered_after = Duration::ZERO;
    for world in &worlds {
        recovered_after = recovered_after.max(world.recover().await);
    }
    world.check_astra();
    let stats = world.astra.stats();
    let mut violations = world.violations.borrow().clone();
    if let Some(neighbour) = &neighbour {
        let theirs = neighbour.violations.borrow();
        violations.extend(theirs.iter().map(|what| format!("elsewhere: {what}")));
    }
    Outcome {
        violations,
        trace: world.trace.lines(),
        recovered_after,
        requests: stats.requests,
        minted: world.astra.invariants().minted,
    }
}

impl World {
    /// What each organization has when a history begins, and the host's ticks.
    async fn begin(self: &Rc<Self>) {
        for org in 0..self.orgs.len() {
            assert!(self.write_config(org, RootToken::New, true, None).await);
            for operation in begun_with(org) {
                self.perform(operation).await;
            }
        }
        tokio::task::spawn_local(chance::scoped(
            chance::mix(self.seed, u64::MAX),
            Rc::clone(self).tick_for_ever(),
        ));
    }

    /// All trouble ends, an operator repairs what only an operator can, and then all must come in order.
    async fn recover(self: &Rc<Self>) -> Duration {
        self.astra.clear_faults();
        self.durable.fail(None);
        self.set_clock(0);
        let began = Instant::now();
        self.trace.note("all trouble ends");
        self.repair().await;
        tokio::time::sleep(LAST_LOOK).await;
        self.replace_ended_root_tokens().await;
        tokio::time::sleep(RECOVERY_WAIT - LAST_LOOK).await;
        loop {
            self.check_leases();
            self.revoke_irrevocable().await;
            self.write_lost_policies().await;
            let left = self.remaining();
            if left.is_empty() {
                return began.elapsed();
            }
            if began.elapsed() > RECOVERY_LIMIT {
                for what in left {
                    self.violation(format!("{what}, {RECOVERY_LIMIT:?} after the last trouble"));
                }
                return began.elapsed();
            }
            tokio::time::sleep(TICK).await;
        }
    }
}
