//! Tries changes of the code and tells which of them no unit test sees.
//!
//! `cargo mutants` says which changes there are. All of them go into one build of the library's
//! tests, each behind a condition that an environment variable makes true, so that thousands need no
//! build each. Every test runs once to see which changes it comes past; then each change runs with
//! those tests only. What cannot be chosen at run time (constants, fields that are left out) is
//! built by itself. `scripts/mutants` starts it.

#![allow(clippy::print_stdout)]

mod change;
mod results;
mod site;
mod tree;
mod unit_tests;
mod woven;

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use self::results::Outcome;
use self::results::Results;
use self::tree::Tree;
use self::unit_tests::Program;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [list, out] = &arguments[..] else {
        eprintln!("usage: mutants LIST FOLDER (see scripts/mutants)");
        return ExitCode::from(1);
    };
    match run(Path::new(list), Path::new(out)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(1)
        }
    }
}

/// Tries all changes of the list; the number that were missed.
fn run(list: &Path, out: &Path) -> Result<usize, String> {
    let changes = change::read(list)?;
    let tree = Tree::copy(Path::new("."), out.join("tree"), &changes)?;
    let began = Instant::now();
    let build = tree.build(&changes, &out.join("build.json"))?;
    let seconds = |began: Instant| began.elapsed().as_secs();
    eprintln!("mutants: built in {} s", seconds(began));
    let began = Instant::now();
    let mut program = Program {
        path: &build.program,
        folder: tree.folder(),
        scratch: scratch(out)?,
        witnesses: HashMap::new(),
    };
    let tests = program.measured(&out.join("tests.json"))?;
    eprintln!("mutants: {} tests in {} s", tests.len(), seconds(began));
    let mut results = Results::new(out)?;
    for (number, change) in changes.iter().enumerate() {
        if build.apart.contains(&number) {
            continue;
        }
        let outcome = if build.unviable.contains(&number) {
            Outcome::Unviable
        } else {
            Outcome::Tried(program.try_change(&tests, change, Some(number))?)
        };
        results.add(change, &outcome)?;
    }
    for number in &build.apart {
        let change = &changes[*number];
        let outcome = match tree.build_alone(change)? {
            None => Outcome::Unviable,
            Some(path) => {
                let mut program = Program {
                    path: &path,
                    ..program.clone()
                };
                Outcome::Tried(program.try_change(&tests, change, None)?)
            }
        };
        results.add(change, &outcome)?;
    }
    results.end()
}

/// The file that programs write, by its full name.
fn scratch(out: &Path) -> Result<PathBuf, String> {
    std::path::absolute(out.join("scratch")).map_err(|error| error.to_string())
}
