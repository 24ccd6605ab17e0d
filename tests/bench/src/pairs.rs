//! Several builds of this engine by turns: what each costs as a share of the first.
//!
//! CPU time depends little on what else the machine does, and each ratio is of two runs of one round, so
//! this says something on a busy machine too.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use harness::Process;
use harness::Server;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::plan::CLIENTS;
use crate::rounds::median;
use crate::rounds::quiet;
use crate::rounds::revoke_all;
use crate::subject::Subject;

/// What one build needed in one round.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// CPU milliseconds per 1,000 leases, from the mint to the revocation.
    plugin_cpu: f64,
    /// The same of Vault's process.
    vault_cpu: f64,
    /// Mints per second, by the numbers in [`CLIENTS`].
    per_second: [f64; CLIENTS.len()],
    /// Leases per second, all revoked at once.
    revoked_per_second: f64,
    /// Resident memory after the mints.
    minted_kb: f64,
    /// Resident memory after all leases were revoked at once.
    revoked_kb: f64,
}

/// A figure of a round, by its name.
type Figure = (&'static str, fn(&Cost) -> f64);

const FIGURES: [Figure; 8] = [
    ("plugin CPU per lease, µs", |cost| cost.plugin_cpu),
    ("Vault CPU per lease, µs", |cost| cost.vault_cpu),
    ("mints/s, 1 client", |cost| cost.per_second[0]),
    ("mints/s, 16 clients", |cost| cost.per_second[1]),
    ("mints/s, 64 clients", |cost| cost.per_second[2]),
    ("revocations/s", |cost| cost.revoked_per_second),
    ("RSS after the mints, kB", |cost| cost.minted_kb),
    ("RSS after the revocations, kB", |cost| cost.revoked_kb),
];

/// Runs `plan.pairs` rounds of all builds and prints the ratios.
pub(crate) async fn run(arguments: &Arguments) -> String {
    let builds: Vec<&Path> = std::iter::once(&arguments.plugin)
        .chain(&arguments.against)
        .map(|file| file.as_path())
        .collect();
    let mut rounds = Vec::new();
    for round in 0..arguments.plan.pairs {
        let mut costs = vec![None; builds.len()];
        // Another goes first in each round, and the direction changes, so that none always follows another.
        for turn in 0..builds.len() {
            let step = if round % 2 == 0 {
                turn
            } else {
                builds.len() - 1 - turn
            };
            let index = (step + round / 2) % builds.len();
            costs[index] = Some(one(builds[index], arguments).await);
        }
        let costs: Vec<Cost> = costs.into_iter().flatten().collect();
        println!("round {} of {}:", round + 1, arguments.plan.pairs);
        for (build, cost) in builds.iter().zip(&costs) {
            println!("  {}: {cost:?}", build.display());
        }
        rounds.push(costs);
    }
    (1..builds.len())
        .map(|index| table(&rounds, index, builds[index]))
        .collect()
}

async fn one(binary: &Path, arguments: &Arguments) -> Cost {
    let subject = Subject::Astra(binary.to_owned());
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mounted = subject.mount(&server, &emulator).await;
    let plugin = mounted.plugin.expect("a plugin is a process");
    let vault = server.process();
    let mints = arguments.plan.mints;
    burst(&mounted.shot, 16, mints / 10).await;
    let before = [plugin, vault].map(Process::cpu_us_of_live_threads);
    let mut per_second = [0.0; CLIENTS.len()];
    for (clients, rate) in CLIENTS.into_iter().zip(&mut per_second) {
        *rate = burst(&mounted.shot, clients, mints).await.per_second();
    }
    let minted_kb = plugin.rss_kb() as f64;
    let begin = Instant::now();
    revoke_all(&server, &emulator, &subject, mounted.prefix).await;
    let leases = (mints * CLIENTS.len()) as f64;
    let revoked = leases + (mints / 10) as f64;
    Cost {
        plugin_cpu: cpu_since(before[0], plugin) / leases,
        vault_cpu: cpu_since(before[1], vault) / leases,
        per_second,
        revoked_per_second: revoked / begin.elapsed().as_secs_f64(),
        minted_kb,
        revoked_kb: plugin.rss_kb() as f64,
    }
}

/// In microseconds.
fn cpu_since(before: u64, process: Process) -> f64 {
    process.cpu_us_of_live_threads().saturating_sub(before) as f64
}

/// The ratios of build `index` to the first, and the figures of both.
fn table(rounds: &[Vec<Cost>], index: usize, build: &Path) -> String {
    let mut text = format!(
        "\n| {} | the first build | this build | median of the ratios | least | most \
         |\n|---|---:|---:|---:|---:|---:|\n",
        build.display()
    );
    for (name, value) in FIGURES {
        let of = |build: usize| -> Vec<f64> {
            rounds.iter().map(|costs| value(&costs[build])).collect()
        };
        let (first, this) = (of(0), of(index));
        let ratios: Vec<f64> = first.iter().zip(&this).map(|(a, b)| b / a).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {:.3} | {least:.3} | {most:.3} |",
            median(first),
            median(this),
            median(ratios)
        );
    }
    text
}
