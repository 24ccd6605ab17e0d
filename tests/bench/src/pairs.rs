//! Two builds of this engine by turns: what the second costs as a share of the first.
//!
//! CPU time depends little on what else the machine does, and each ratio is of two runs side by side, so
//! this says something on a busy machine too.

use std::fmt::Write;
use std::path::Path;

use harness::Process;
use harness::Server;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::plan::CLIENTS;
use crate::rounds::quiet;
use crate::rounds::revoke_all;
use crate::subject::Subject;

/// What one build needed in one round.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// CPU milliseconds per 1,000 leases, from the mint to the revocation.
    cpu: f64,
    /// Resident memory after the mints.
    minted_kb: f64,
    /// Resident memory after all leases were revoked at once.
    revoked_kb: f64,
}

/// A figure of a round, by its name.
type Figure = (&'static str, fn(&Cost) -> f64);

const FIGURES: [Figure; 3] = [
    ("CPU per lease", |cost| cost.cpu),
    ("RSS after the mints", |cost| cost.minted_kb),
    ("RSS after the revocations", |cost| cost.revoked_kb),
];

/// Runs `plan.pairs` rounds of both builds and prints the ratios.
pub(crate) async fn run(arguments: &Arguments, other: &Path) -> String {
    let mut rounds = Vec::new();
    for round in 0..arguments.plan.pairs {
        // Each goes first in every other round.
        let (first, second) = if round % 2 == 0 {
            (arguments.plugin.as_path(), other)
        } else {
            (other, arguments.plugin.as_path())
        };
        let (a, b) = (one(first, arguments).await, one(second, arguments).await);
        let pair = if round % 2 == 0 { (a, b) } else { (b, a) };
        println!("round {} of {}: {pair:?}", round + 1, arguments.plan.pairs);
        rounds.push(pair);
    }
    table(&rounds)
}

async fn one(binary: &Path, arguments: &Arguments) -> Cost {
    let subject = Subject::Astra(binary.to_owned());
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let stage = subject.mount(&server, &emulator).await;
    let plugin = stage.plugin.expect("a plugin is a process");
    let mints = arguments.plan.mints;
    burst(&stage.shot, 16, mints / 10).await;
    let before = plugin.cpu_us_of_live_threads();
    for clients in CLIENTS {
        burst(&stage.shot, clients, mints).await;
    }
    let minted_kb = plugin.rss_kb() as f64;
    revoke_all(&server, &emulator, &subject, stage.prefix).await;
    Cost {
        cpu: cpu_since(before, plugin) / (mints * CLIENTS.len()) as f64,
        minted_kb,
        revoked_kb: plugin.rss_kb() as f64,
    }
}

/// In microseconds.
fn cpu_since(before: u64, plugin: Process) -> f64 {
    plugin.cpu_us_of_live_threads().saturating_sub(before) as f64
}

fn table(rounds: &[(Cost, Cost)]) -> String {
    let mut text = String::from(
        "\n| the second build against the first | median | least | most |\n|---|---:|---:|---:|\n",
    );
    for (name, value) in FIGURES {
        let mut ratios: Vec<f64> = rounds.iter().map(|(a, b)| value(b) / value(a)).collect();
        ratios.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else {
            continue;
        };
        let median = ratios[ratios.len() / 2];
        let _ = writeln!(text, "| {name} | {median:.2} | {least:.2} | {most:.2} |");
    }
    text
}
