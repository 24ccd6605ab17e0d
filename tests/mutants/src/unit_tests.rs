//! The tests of one program: which changes each comes past, and which of them see a change.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::site::Number;

/// How often is looked whether a program has ended.
const POLL: Duration = Duration::from_millis(5);

/// A program may take this long and as many times as long as without a change.
const PATIENCE: (Duration, u32) = (Duration::from_secs(60), 20);

/// Tests that take this long together run in one go, and each later go takes so many times as long.
const FIRST_GO: (Duration, u32) = (Duration::from_millis(300), 4);

/// A test and what it took without a change.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    took: Duration,
    reached: Vec<Number>,
}

/// What the tests say of a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This test failed, or the program that ran it.
    Seen(String),
    /// A test took much longer than without the change.
    TimedOut,
    /// All tests that come past it passed, so many of them.
    Missed(usize),
}

/// A program with tests, and where it runs.
#[derive(Clone)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    pub(crate) folder: &'a Path,
    /// A file that it may write.
    pub(crate) scratch: PathBuf,
}

impl Program<'_> {
    /// Runs each test by itself.
    ///
    /// # Errors
    ///
    /// A test fails although nothing is changed, or the program cannot be run.
    pub(crate) fn measure(&self) -> Result<Vec<Test>, String> {
        let mut tests = Vec::new();
        for name in self.names()? {
            let _ = fs::remove_file(&self.scratch);
            let began = Instant::now();
            let mut command = self.command(&[&name]);
            let output = command.env("MUTANTS_REACHED", &self.scratch).output();
            let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stdout);
                return Err(format!("{name} fails without a change:\n{text}"));
            }
            let reached = fs::read_to_string(&self.scratch).unwrap_or_default();
            tests.push(Test {
                name,
                took: began.elapsed(),
                reached: reached
                    .lines()
                    .filter_map(|line| line.parse().ok())
                    .collect(),
            });
        }
        tests.sort_by_key(|test| test.took);
        Ok(tests)
    }

    /// Runs the tests that come past the change, the quick ones first, until one fails. Without a
    /// number the program itself is changed, and all tests run.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    pub(crate) fn try_change(
        &self,
        tests: &[Test],
        change: Option<Number>,
    ) -> Result<Verdict, String> {
        let comes_past = |test: &&Test| change.is_none_or(|number| test.reached.contains(&number));
        let mut rest: Vec<&Test> = tests.iter().filter(comes_past).collect();
        let count = rest.len();
        let mut limit = FIRST_GO.0;
        while !rest.is_empty() {
            let mut sum = Duration::ZERO;
            let now = rest
                .iter()
                .take_while(|test| {
                    sum += test.took;
                    sum <= limit
                })
                .count();
            let later = rest.split_off(now.max(1));
            if let Some(verdict) = self.go(&rest, change)? {
                return Ok(verdict);
            }
            rest = later;
            limit *= FIRST_GO.1;
        }
        Ok(Verdict::Missed(count))
    }

    /// Runs some tests; `None` if they pass.
    fn go(&self, tests: &[&Test], change: Option<Number>) -> Result<Option<Verdict>, String> {
        let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        let mut command = self.command(&names);
        if let Some(number) = change {
            command.env("MUTANT", number.to_string());
        }
        let output = fs::File::create(&self.scratch);
        let output = output.map_err(|error| format!("{}: {error}", self.scratch.display()))?;
        let child = command.stdout(output).spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let took: Duration = tests.iter().map(|test| test.took).sum();
        let deadline = Instant::now() + PATIENCE.0 + took * PATIENCE.1;
        match ended(&mut child, deadline)? {
            None => Ok(Some(Verdict::TimedOut)),
            Some(true) => Ok(None),
            Some(false) => {
                let text = fs::read(&self.scratch).unwrap_or_default();
                Ok(Some(Verdict::Seen(failed(&String::from_utf8_lossy(&text)))))
            }
        }
    }

    /// All tests but those that run only if asked for.
    fn names(&self) -> Result<Vec<String>, String> {
        let ignored: BTreeSet<String> = self.listed("--ignored")?.into_iter().collect();
        let mut names = self.listed("--include-ignored")?;
        names.retain(|name| !ignored.contains(name));
        Ok(names)
    }

    fn listed(&self, which: &str) -> Result<Vec<String>, String> {
        let output = self.command(&[]).args(["--list", which]).output();
        let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }

    fn command(&self, tests: &[&str]) -> Command {
        let mut command = Command::new(self.path);
        command
            .args(["--exact", "--test-threads=1"])
            .args(tests)
            .current_dir(self.folder)
            .env("RUST_BACKTRACE", "0")
            // A history that breaks a promise is not made shorter.
            .env("SIMULATE_SHRINK", "0")
            .env_remove("MUTANT")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// Whether the program ended well; `None` if it had to be killed.
#[allow(clippy::disallowed_methods, reason = "nothing else runs here")]
fn ended(child: &mut Child, deadline: Instant) -> Result<Option<bool>, String> {
    loop {
        let status = child.try_wait().map_err(|error| error.to_string())?;
        if let Some(status) = status {
            return Ok(Some(status.success()));
        }
        if Instant::now() >= deadline {
            let killed = child.kill().and_then(|()| child.wait());
            killed.map_err(|error| error.to_string())?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// The first test that failed.
fn failed(output: &str) -> String {
    let test = output.lines().find_map(|line| {
        let line = line.strip_prefix("test ")?;
        line.strip_suffix(" ... FAILED")
    });
    test.unwrap_or("the program died").to_owned()
}
