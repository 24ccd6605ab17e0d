//! Everything at once for a long time, from a seed.
//!
//! `scripts/soak --minutes N --seed S` runs this test alone; in the suite it takes two minutes. Work and
//! chaos alternate with quiet phases, in which a tick clears up and everything must result. In the
//! first half processes are killed and reloaded; in the second one process lives on, and must not grow.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use astra_emulator::fault::RetryAfter;
use harness::Marks;
use harness::Process;
use harness::Storage;
use serde_json::json;

use crate::load::Load;
use crate::load::Seen;
use crate::reconciliation::Inventory;
use crate::reconciliation::Reconciliation;
use crate::reconciliation::assert_kept;
use crate::setup;
use harness::TICK;
use harness::TestMount;

const CLIENTS: usize = 12;
/// How long clients work between two quiet phases: what the dead left must still be in storage then,
/// or it could not be told from a token without any explanation.
const WORK: Duration = Duration::from_secs(75);
/// How often the state is printed and what must hold at any time is checked.
const LOOK: Duration = Duration::from_secs(10);
/// The length at which Vault's log is started over, so that a long run does not fill the disk.
const MOST_LOG: u64 = 256 * 1024 * 1024;
/// What the plugin may take more at the end than when it was last started. Connections to Astra stay open
/// for a while when they are idle, at most as many as there may be requests at once (32, the default of
/// `max_concurrent_requests`); each of them is a file and a task.
const MORE_KB: u64 = 8 * 1024;
const MORE_FILES: usize = 32 + 8;
const MORE_THREADS: usize = 4;
const MORE_TASKS: usize = 32 + 8;

/// What was done to the engine.
#[derive(Clone, Copy, Debug, Default)]
struct Chaos {
    plugin_kills: usize,
    vault_kills: usize,
    reloads: usize,
    faults: usize,
    rotations: usize,
}

/// What the plugin's process takes.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    process: u32,
    rss_kb: u64,
    files: usize,
    threads: usize,
    /// Known only right after a tick.
    tasks: Option<usize>,
}

#[tokio::test]
async fn nothing_is_lost_in_the_long_run() {
    let minutes = number("ASTRA_SOAK_MINUTES", 2);
    let seed = number("ASTRA_SOAK_SEED", 7);
    // Clients, faults and kills all draw from it; what Vault and the machine do is not in its hand.
    fastrand::seed(seed);
    let time = Duration::from_secs(60 * minutes);
    let mount = setup::mount_with_own_server("soak", Storage::Raft).await;
    // Nothing ends by itself within the longest run.
    mount.role("reader", "8h", "8h").await;
    let app = json!({ "astra_roles": "API RO User", "rotation_period": "24h", "overlap": "0" });
    mount.write("static-roles/app", app).await.ok();
    let start = Instant::now();

    let mut soak = Soak {
        mount,
        revoked: 0,
        chaos: Chaos::default(),
        seen: Seen::default(),
        window: BTreeSet::new(),
        marks: Marks::default(),
        start,
        kills: true,
    };
    let work = WORK.min(time / 3);
    let first = loop {
        soak.work(work).await;
        let footprint = soak.rest().await;
        if start.elapsed() >= time / 2 {
            break footprint;
        }
    };
    soak.kills = false;
    let last = loop {
        soak.work(work).await;
        let footprint = soak.rest().await;
        if start.elapsed() >= time {
            break footprint;
        }
    };
    println!(
        "{minutes} minutes with seed {seed}: {} minted, {} handed out, {} failed requests, {:?}; 0 \
         orphans, 0 violations, {} in the window; {first:?} at first, {last:?} in the end",
        soak.mount.astra.minted(),
        soak.handed_out(&soak.seen),
        soak.seen.failures,
        soak.chaos,
        soak.window.len(),
    );
    assert_eq!(
        last.process, first.process,
        "the plugin was not killed in the second half"
    );
    assert!(last.rss_kb <= first.rss_kb + MORE_KB, "memory grows");
    assert!(last.files <= first.files + MORE_FILES, "open files pile up");
    assert!(
        last.threads <= first.threads + MORE_THREADS,
        "threads pile up"
    );
    let (first, last) = (first.tasks.unwrap(), last.tasks.unwrap());
    assert!(last <= first + MORE_TASKS, "tasks pile up");
}

struct Soak {
    mount: TestMount,
    chaos: Chaos,
    seen: Seen,
    /// How many revoked credentials were checked and forgotten.
    revoked: usize,
    /// Tokens in the window that the protocol leaves open.
    window: BTreeSet<String>,
    /// What processes had marked that have ended since.
    marks: Marks,
    start: Instant,
    /// Whether processes are killed and reloaded.
    kills: bool,
}

impl Soak {
    /// Clients work, and one thing after the other goes wrong.
    async fn work(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let apis = [self.mount.api.clone()];
        let seen = std::mem::take(&mut self.seen);
        let load = Load::resume(seen, CLIENTS, &self.mount.name, &apis);
        let mut look = Instant::now() + LOOK;
        while Instant::now() < until {
            self.trouble().await;
            // Time passes between two troubles, so that work is done as well.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1_000..4_000))).await;
            self.mount.astra.emulator.clear_faults();
            if Instant::now() >= look {
                look = Instant::now() + LOOK;
                self.look(&load);
            }
        }
        self.mount.astra.set_latency(Duration::ZERO);
        self.mount.astra.limit_rate(None);
        self.seen = load.stop().await;
    }

    async fn trouble(&mut self) {
        self.mount.stored.note_marks(&mut self.marks).await;
        let (mount, chaos) = (&self.mount, &mut self.chaos);
        // Those before the sixth end processes.
        let all = if self.kills { 0..20 } else { 6..20 };
        match fastrand::u8(all) {
            0 => {
                chaos.vault_kills += 1;
                mount.server.kill();
                mount.server.restart().await;
            }
            1..=3 => {
                chaos.plugin_kills += 1;
                mount
                    .plugin
                    .processes(&mount.server)
                    .into_iter()
                    .for_each(Process::kill);
            }
            4 | 5 => {
                chaos.reloads += 1;
                let body = json!({ "mounts": [format!("{}/", mount.name)] });
                mount.api.write("sys/plugins/reload/backend", body).await;
            }
            6 | 7 => {
                chaos.rotations += 1;
                mount.write("rotate-root", json!({})).await;
            }
            8 | 9 => {
                chaos.rotations += 1;
                mount.write("rotate-role/app", json!({})).await;
            }
            10 => mount
                .astra
                .set_latency(Duration::from_millis(fastrand::u64(0..200))),
            11 => mount
                .astra
                .limit_rate([None, Some(20), Some(100)][fastrand::usize(..3)]),
            _ => {
                chaos.faults += 1;
                let mut rule = FaultRule::new(fault());
                rule.matcher.probability = Some(0.3);
                mount.astra.emulator.add_fault(rule).expect("a fault");
            }
        }
    }

    /// What must hold at any time.
    fn look(&self, load: &Load) {
        let Self { mount, .. } = self;
        // Nothing else runs between these two, so they tell of the same moment.
        let live: BTreeSet<String> = mount.astra.live().into_iter().collect();
        let seen = load.seen();
        for credential in &seen.kept {
            assert!(
                live.contains(&credential.client_id),
                "the token with client id {} was handed out and is deleted",
                credential.client_id
            );
        }
        let invariants = mount.astra.emulator.invariants();
        self.check_astra();
        let footprint = mount
            .plugin
            .processes(&mount.server)
            .first()
            .map(|process| Footprint::of(*process, None));
        println!(
            "{:>5.0?}: {} minted, {} live, {} kept, {} failed requests, {:?}, {footprint:?}",
            self.start.elapsed(),
            invariants.minted,
            live.len(),
            seen.kept.len(),
            seen.failures,
            self.chaos,
        );
    }

    fn check_astra(&self) {
        let emulator = &self.mount.astra.emulator;
        let invariants = emulator.invariants();
        assert_eq!(invariants.double_mints, 0, "one description twice");
        assert!(
            invariants.foreign_deletes <= u64::from(self.chaos.rotations > 0),
            "tokens of others deleted"
        );
        let violations = emulator.violations();
        assert!(violations.is_empty(), "not in Astra's API: {violations:?}");
    }

    /// Nothing goes wrong for a while, and everything must result.
    async fn rest(&mut self) -> Footprint {
        let mount = &self.mount;
        // The first request finds out that a process died.
        mount.eventual_credential("reader").await;
        mount.stored.note_marks(&mut self.marks).await;
        self.seen.end_unclear(&mount.api).await;
        if mount.server.log_length() > MOST_LOG {
            mount.server.empty_log();
        }
        let tasks = mount.until_tick().await;
        let mut inventory = Inventory::read(mount).await;
        inventory.own.extend(self.window.iter().cloned());
        inventory.marks = self.marks.clone();
        let result = Reconciliation::reached(&inventory, TICK).await;
        self.window.extend(result.window);
        assert_kept(&mount.stored, &mount.astra, &self.seen.kept).await;
        let live: BTreeSet<String> = mount.astra.live().into_iter().collect();
        for credential in std::mem::take(&mut self.seen.revoked) {
            self.revoked += 1;
            assert!(
                !live.contains(&credential.client_id),
                "a revocation got lost"
            );
        }
        self.check_astra();
        let app = mount.read("static-creds/app").await.data();
        assert!(mount.astra.accepts(app["token"].as_str().unwrap()).await);
        println!(
            "{:>5.0?}: balanced: {} leased or in use, 0 orphans, 0 lost revocations, {} in the \
             window; this test itself takes {} kB",
            self.start.elapsed(),
            result.leased,
            self.window.len(),
            Process(std::process::id()).rss_kb(),
        );
        Footprint::of(mount.process(), Some(tasks))
    }

    /// How many credentials were handed out so far, of which the clients have `seen` some.
    fn handed_out(&self, seen: &Seen) -> usize {
        self.revoked + seen.kept.len() + seen.revoked.len() + seen.unclear.len()
    }
}

impl Footprint {
    fn of(process: Process, tasks: Option<usize>) -> Self {
        Self {
            process: process.0,
            tasks,
            rss_kb: process.rss_kb(),
            files: process.open_files(),
            threads: process.threads(),
        }
    }
}

/// Something that goes wrong with Astra.
fn fault() -> Fault {
    let status = |status, retry_after, committed| Fault::Status {
        status,
        body: FaultBody::default(),
        retry_after,
        committed,
    };
    match fastrand::u8(0..10) {
        0 => status(503, None, false),
        1 => status(500, None, true),
        2 => status(429, Some(RetryAfter::Seconds(1)), false),
        3 => Fault::ResetBeforeCommit {},
        4 => Fault::ResetAfterCommit {},
        5 => Fault::ResetMidBody { bytes: None },
        6 => Fault::Truncate {
            bytes: None,
            chunked: fastrand::bool(),
            then: Default::default(),
        },
        7 => Fault::MalformedJson {
            how: Default::default(),
        },
        8 => Fault::CloseIdle {
            on_next_request: fastrand::bool(),
        },
        _ => Fault::Latency {
            ms: 500,
            max_ms: Some(2_000),
            at: LatencyPoint::AfterCommit,
        },
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}
