//! The emulated Astra as a process of its own, so that its cost is no one else's.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

/// A running `astra-emulator`; ends when dropped.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) root_token: String,
    control: String,
}

impl Emulator {
    pub(crate) fn start(binary: &Path) -> Self {
        let mut child = Command::new(binary)
            // Another engine need not keep to the letter of the API.
            .args(["--profile", "field", "--journal-size", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the emulator's first line");
        let field = |name: &str| {
            let start = format!("{name}=");
            let word = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix(&start));
            word.unwrap_or_else(|| panic!("no {name} in {line:?}"))
                .to_owned()
        };
        Self {
            url: field("url"),
            org: field("org"),
            root_token: field("root_token"),
            control: field("control"),
            child,
        }
    }

    /// Delays every answer.
    pub(crate) async fn set_latency_ms(&self, ms: u64) {
        self.control("PUT", "knobs", json!({ "latency_ms": ms }))
            .await;
    }

    /// Tokens that were minted and live.
    pub(crate) async fn live_tokens(&self) -> u64 {
        self.control("GET", "invariants", Value::Null).await["live_tokens"]
            .as_u64()
            .expect("a count")
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        crate::load::once(&self.control, method, &format!("/control/{path}"), &body).await
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
