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
mod lease;
mod load;
mod pairs;
mod plan;
mod report;
mod rounds;
mod scale;
mod subject;

use std::path::PathBuf;

use plan::Plan;

const USAGE: &str =
    "usage: bench --plugin FILE --emulator FILE [--peer FILE] [--quick | --deep | --scale]
       bench --plugin FILE --emulator FILE --against FILE … [--rounds NUMBER] [--quick]";

/// Where the programs are and how much to measure.
pub(crate) struct Arguments {
    pub(crate) plugin: PathBuf,
    pub(crate) emulator: PathBuf,
    pub(crate) peer: Option<PathBuf>,
    /// Other builds of this engine: only they and the first are compared.
    pub(crate) against: Vec<PathBuf>,
    pub(crate) plan: Plan,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
        println!("{problem}\n{USAGE}");
        std::process::exit(2);
    });
    if !arguments.against.is_empty() {
        println!("{}", pairs::run(&arguments).await);
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
    let mut scale = Vec::new();
    if arguments.plan.scale {
        scale = scale::run(&arguments).await;
        println!("{}", scale::table(&scale));
        println!("{}", lease::table(&lease::run(&arguments).await));
    }
    let goals = goals::judge(&rounds, deep.as_ref(), &scale);
    println!("{}", report::goals(&goals));
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut plugin, mut emulator, mut plan) = (None, None, Plan::FULL);
    let (mut peer, mut against, mut pairs) = (None, Vec::new(), None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let mut file = || value().map(PathBuf::from);
        match word.as_str() {
            "--plugin" => plugin = Some(file()?),
            "--emulator" => emulator = Some(file()?),
            "--peer" => peer = Some(file()?),
            "--against" => against.push(file()?),
            "--rounds" => pairs = Some(number(&value()?)?),
            "--quick" => plan = Plan::QUICK,
            "--deep" => plan = Plan::DEEP,
            "--scale" => plan = Plan::SCALE,
            _ => return Err(format!("unknown option {word}")),
        }
    }
    plan.pairs = pairs.unwrap_or(plan.pairs);
    Ok(Arguments {
        plugin: plugin.ok_or("--plugin is missing")?,
        emulator: emulator.ok_or("--emulator is missing")?,
        peer,
        against,
        plan,
    })
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("--rounds is a number from 1 up, not {text}")),
    }
}
