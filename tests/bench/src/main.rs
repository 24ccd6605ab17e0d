//! `bench`: what a leased token costs through a real Vault, beside Vault's own `ssh` one-time
//! passwords (the least that any leased secret costs) and, if given, another Astra engine.
//!
//! `scripts/bench` builds what it needs and runs it. All figures of one table come from one run.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

mod deep;
mod emulator;
mod goals;
mod load;
mod pairs;
mod plan;
mod report;
mod rounds;
mod subject;

use std::path::PathBuf;

use plan::Plan;

const USAGE: &str = "usage: bench --plugin FILE --emulator FILE [--peer FILE] [--quick | --deep]
       bench --plugin FILE --emulator FILE --against FILE [--quick]";

/// Where the programs are and how much to measure.
pub(crate) struct Arguments {
    pub(crate) plugin: PathBuf,
    pub(crate) emulator: PathBuf,
    pub(crate) peer: Option<PathBuf>,
    /// Another build of this engine: only the two are compared.
    pub(crate) against: Option<PathBuf>,
    pub(crate) plan: Plan,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
        println!("{problem}\n{USAGE}");
        std::process::exit(2);
    });
    if let Some(other) = &arguments.against {
        println!("{}", pairs::run(&arguments, other).await);
        return;
    }
    let rounds = if arguments.plan.table {
        rounds::run(&arguments).await
    } else {
        Vec::new()
    };
    println!("{}", report::table(&rounds));
    let deep = if arguments.plan.deep {
        Some(deep::run(&arguments).await)
    } else {
        None
    };
    println!("{}", report::goals(&goals::judge(&rounds, deep.as_ref())));
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut plugin, mut emulator, mut plan) = (None, None, Plan::FULL);
    let (mut peer, mut against) = (None, None);
    while let Some(word) = words.next() {
        let mut file = || {
            words
                .next()
                .map(PathBuf::from)
                .ok_or(format!("{word} needs a file"))
        };
        match word.as_str() {
            "--plugin" => plugin = Some(file()?),
            "--emulator" => emulator = Some(file()?),
            "--peer" => peer = Some(file()?),
            "--against" => against = Some(file()?),
            "--quick" => plan = Plan::QUICK,
            "--deep" => plan = Plan::DEEP,
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(Arguments {
        plugin: plugin.ok_or("--plugin is missing")?,
        emulator: emulator.ok_or("--emulator is missing")?,
        peer,
        against,
        plan,
    })
}
