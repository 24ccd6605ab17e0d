//! Which server program the tests run on, and what that program can do.
//!
//! What differs between servers is asked of the program or of the running server. Only the syntax of
//! the configuration file depends on the product's name.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

/// The variable that chooses the host: `vault`, `openbao`, or one of them with a version, as in
/// `vault@1.18.0`. Without a version it is the program that `scripts/vault` or `scripts/bao` prefers.
const VARIABLE: &str = "TEST_HOST";

/// Whose program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// HashiCorp Vault.
    Vault,
    /// OpenBao.
    OpenBao,
}

/// The server program under the tests.
#[derive(Debug, Clone)]
pub struct Host {
    /// Whose program it is.
    pub product: Product,
    /// What it reports as its version, without a `v`.
    pub version: String,
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
        let (name, version) = wanted
            .split_once('@')
            .map_or((wanted, None), |(name, version)| (name, Some(version)));
        let script = match name {
            "vault" => "vault",
            "openbao" => "bao",
            _ => panic!("{VARIABLE}={wanted}: write vault, openbao, or one of them with @VERSION"),
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../scripts")
            .join(script);
        let binary = PathBuf::from(run(Command::new(script).args(version)));
        // For instance "Vault v1.21.0 (…), built …" or "OpenBao v2.7.2 (…), committed …".
        let line = run(Command::new(&binary).arg("version"));
        let mut words = line.split_whitespace();
        let product = match words.next() {
            Some("Vault") => Product::Vault,
            Some("OpenBao") => Product::OpenBao,
            _ => panic!("{} is neither Vault nor OpenBao: {line}", binary.display()),
        };
        let version = words.next().unwrap_or_default().trim_start_matches('v');
        Self {
            product,
            version: version.to_owned(),
            binary,
        }
    }

    /// The program's name, as it is typed and as the documents of its product have it.
    pub fn program(&self) -> &'static str {
        match self.product {
            Product::Vault => "vault",
            Product::OpenBao => "bao",
        }
    }

    /// Whether the command line has `command`, by its own help.
    pub fn has_command(&self, command: &str) -> bool {
        self.help(&[command])
            .contains(&format!("Usage: {} {command}", self.program()))
    }

    fn help(&self, command: &[&str]) -> String {
        let output = Command::new(&self.binary)
            .args(command)
            .arg("-help")
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.binary.display()));
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
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
