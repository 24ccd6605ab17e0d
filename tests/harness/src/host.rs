//! Which server program the tests run on. What it can do is in `capabilities.rs`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

/// The variable that chooses the host: `vault`, `openbao`, or one of them with a version, as in
/// `vault@1.18.0`. `scripts/host` finds its program.
const VARIABLE: &str = "TEST_HOST";

/// The server program under the tests.
#[derive(Debug, Clone)]
pub struct Host {
    /// The program, which is server and client.
    pub binary: PathBuf,
}

impl Host {
    /// The host that `TEST_HOST` names, by default Vault; found, and if need be built or downloaded,
    /// once per process.
    pub fn current() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| {
            let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| "vault".to_owned());
            Self::find(&wanted)
        })
    }

    /// Finds the host that `wanted` names.
    fn find(wanted: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/host");
        Self {
            binary: PathBuf::from(run(Command::new(script).arg(wanted))),
        }
    }

    /// Whether the command line has `command`, by its own help, which begins `Usage: PROGRAM COMMAND`.
    pub(crate) fn has_command(&self, command: &[&str]) -> bool {
        let output = Command::new(&self.binary)
            .args(command)
            .arg("-help")
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.binary.display()));
        let help = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: "));
        let words = usage.unwrap_or_default().split_whitespace().skip(1);
        words.take(command.len()).eq(command.iter().copied())
    }
}

/// What `command` prints on standard output, without the last line break.
fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed; its message is above"
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
