//! The tests of one program: which changes each comes past, and which of them see a change.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike;
use serde::Deserialize;
use serde::Serialize;

use crate::change::Change;
use crate::site::Number;

/// How often is looked whether a program has ended.
const POLL: Duration = Duration::from_millis(5);

/// A program may compute for so many seconds, and so many times as long as its tests did without a
/// change; and so many times as long it may wait.
const TIMEOUT: (u64, u64, u64) = (3, 4, 60);

/// How much memory a program may use, in KiB: a change can make it reserve more and more.
const MEMORY: u64 = 3 << 20;

/// Tests that take this long together run in one go, and each later go takes so many times as long.
const FIRST_GO: (Duration, u32) = (Duration::from_millis(500), 3);

/// How many seconds a test may compute without a change.
const UNCHANGED: u64 = 600;

/// What the kernel sends to a program that computed for too long.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;

/// How a line ends that tells of a test that failed.
const FAILED: &str = " ... FAILED";

/// A test and how long it computed without a change.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Test {
    name: String,
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
    /// How many changes of a file each test saw.
    pub(crate) witnesses: HashMap<String, HashMap<String, usize>>,
}

impl Program<'_> {
    /// Runs each test by itself; what the same program told before is in the file `known`.
    ///
    /// # Errors
    ///
    /// A test fails although nothing is changed, or the program cannot be run.
    pub(crate) fn measured(&self, known: &Path) -> Result<Vec<Test>, String> {
        let built = fs::metadata(self.path).and_then(|file| file.modified());
        let built = built.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let text = fs::read(known).unwrap_or_default();
        if let Ok(known) = serde_json::from_slice::<(SystemTime, Vec<Test>)>(&text)
            && known.0 == built
        {
            return Ok(known.1);
        }
        let measured = (built, self.measure()?);
        let text = serde_json::to_vec(&measured).map_err(|error| error.to_string())?;
        fs::write(known, text).map_err(|error| format!("{}: {error}", known.display()))?;
        Ok(measured.1)
    }

    fn measure(&self) -> Result<Vec<Test>, String> {
        let mut tests = Vec::new();
        for name in self.names()? {
            let _ = fs::remove_file(&self.scratch);
            let before = computed()?;
            let mut command = self.command(&[&name], UNCHANGED);
            let output = command.env("MUTANTS_REACHED", &self.scratch).output();
            let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stdout);
                return Err(format!("{name} fails without a change:\n{text}"));
            }
            let reached = fs::read_to_string(&self.scratch).unwrap_or_default();
            tests.push(Test {
                name,
                took: computed()?.saturating_sub(before),
                reached: reached
                    .lines()
                    .filter_map(|line| line.parse().ok())
                    .collect(),
            });
        }
        tests.sort_by_key(|test| test.took);
        Ok(tests)
    }

    /// Runs the tests that come past the change until one fails: first those of the same module and
    /// those that saw other changes of the file, then the quick ones. Without a number the program
    /// itself is changed, and all tests run.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    pub(crate) fn try_change(
        &mut self,
        tests: &[Test],
        change: &Change,
        number: Option<Number>,
    ) -> Result<Verdict, String> {
        let comes_past = |test: &&Test| number.is_none_or(|number| test.reached.contains(&number));
        let mut rest: Vec<&Test> = tests.iter().filter(comes_past).collect();
        let count = rest.len();
        let witnesses = self.witnesses.entry(change.file.clone()).or_default();
        let seen = |test: &Test| witnesses.get(&test.name).copied().unwrap_or_default();
        rest.sort_by_key(|test| (Reverse(seen(test)), !is_near(test, change), test.took));
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
            if let Some(verdict) = self.go(&rest, number)? {
                if let Verdict::Seen(test) = &verdict {
                    let witnesses = self.witnesses.entry(change.file.clone()).or_default();
                    *witnesses.entry(test.clone()).or_default() += 1;
                }
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
        let took: Duration = tests.iter().map(|test| test.took).sum();
        let seconds = TIMEOUT.0 + took.as_secs() * TIMEOUT.1;
        let mut command = self.command(&names, seconds);
        if let Some(number) = change {
            command.env("MUTANT", number.to_string());
        }
        let output = fs::File::create(&self.scratch);
        let output = output.map_err(|error| format!("{}: {error}", self.scratch.display()))?;
        let child = command.stdout(output).spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let deadline = Instant::now() + Duration::from_secs(seconds * TIMEOUT.2);
        match ended(&mut child, deadline, &self.scratch)? {
            Ended::Stopped => Ok(Some(Verdict::TimedOut)),
            Ended::Passed => Ok(None),
            Ended::Failed => {
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
        let output = self
            .command(&[], UNCHANGED)
            .args(["--list", which])
            .output();
        let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }

    /// The program with these tests, which may compute for so many seconds.
    fn command(&self, tests: &[&str], seconds: u64) -> Command {
        let limits = format!("ulimit -v {MEMORY}; ulimit -t {seconds}; exec \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &limits, "sh"])
            .arg(self.path)
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

/// How long the programs that have ended computed, all together.
fn computed() -> Result<Duration, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let time = usage.user_time() + usage.system_time();
    let micros = u64::try_from(time.num_microseconds()).unwrap_or_default();
    Ok(Duration::from_micros(micros))
}

/// Whether the test is of the module that the change is in, or of one beside it.
fn is_near(test: &Test, change: &Change) -> bool {
    let module = change.file.trim_start_matches("src/");
    let module = module.trim_end_matches(".rs").trim_end_matches("/mod");
    let folder = module.rsplit_once('/').map_or(module, |(folder, _)| folder);
    let path = test.name.replace("::", "/");
    path.starts_with(&format!("{module}/")) || path.starts_with(&format!("{folder}/tests"))
}

/// How a program ended.
enum Ended {
    Passed,
    Failed,
    /// It computed or waited too long.
    Stopped,
}

#[allow(clippy::disallowed_methods, reason = "nothing else runs here")]
fn ended(child: &mut Child, deadline: Instant, output: &Path) -> Result<Ended, String> {
    let mut length = 0;
    loop {
        let status = child.try_wait().map_err(|error| error.to_string())?;
        if let Some(status) = status {
            return Ok(match status.signal() {
                _ if status.success() => Ended::Passed,
                Some(SIGXCPU | SIGKILL) => Ended::Stopped,
                _ => Ended::Failed,
            });
        }
        let is_late = Instant::now() >= deadline;
        let written = fs::metadata(output).map_or(0, |file| file.len());
        // One test that fails is enough.
        let has_failed = written != length && {
            length = written;
            let text = fs::read(output).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(FAILED)
        };
        if is_late || has_failed {
            let killed = child.kill().and_then(|()| child.wait());
            killed.map_err(|error| error.to_string())?;
            return Ok(if has_failed {
                Ended::Failed
            } else {
                Ended::Stopped
            });
        }
        std::thread::sleep(POLL);
    }
}

/// The first test that failed.
fn failed(output: &str) -> String {
    let test = output.lines().find_map(|line| {
        let line = line.strip_prefix("test ")?;
        line.strip_suffix(FAILED)
    });
    test.unwrap_or("the program died").to_owned()
}
