//! The emulated Astra as a process of its own, so that its cost is no one else's.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

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
        // Another engine need not keep to the letter of the API.
        Self::start_with(binary, &["--profile", "field", "--journal-size", "0"])
    }

    /// One that is strict and remembers its newest requests.
    pub(crate) fn start_strict(binary: &Path) -> Self {
        Self::start_with(binary, &["--journal-size", "5000"])
    }

    fn start_with(binary: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .args(options)
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
        self.invariants().await["live_tokens"]
            .as_u64()
            .expect("a count")
    }

    /// What must be zero in the end, and more.
    pub(crate) async fn invariants(&self) -> Value {
        self.control("GET", "invariants", Value::Null).await
    }

    /// The ids of the organizations.
    pub(crate) async fn organizations(&self) -> Vec<String> {
        let seeds = self.control("GET", "seeds", Value::Null).await;
        let organizations = seeds["organizations"].as_array().expect("organizations");
        organizations.iter().map(|one| text(&one["id"])).collect()
    }

    /// A new administrator's token of an organization.
    pub(crate) async fn administrator(&self, organization: &str) -> String {
        let token = json!({ "role": "Organization Administrator", "org_id": organization });
        text(&self.control("POST", "tokens", token).await["token"])
    }

    /// The id of the mount that minted the newest token.
    pub(crate) async fn mount_of_a_minted_token(&self) -> String {
        let tokens = self.control("GET", "tokens", Value::Null).await;
        let tokens = tokens.as_array().expect("tokens");
        let minted = tokens.iter().rfind(|token| token["origin"] == "api");
        let description = text(&minted.expect("a minted token")["description"]);
        let mount = description.split(':').nth(1).expect("a tag");
        mount.to_owned()
    }

    /// Makes tokens by hand, alike but for the numbers in their descriptions.
    pub(crate) async fn add_tokens(
        &self,
        organization: &str,
        description: &str,
        ends: bool,
        count: usize,
    ) {
        let mut token = json!({
            "role": "API RO User", "description": description, "org_id": organization,
        });
        if ends {
            token["expiry"] = "2999-01-01T00:00:00Z".into();
        }
        let body = json!({ "count": count, "token": token });
        let made = self.control("POST", "tokens/bulk", body).await;
        assert_eq!(made["made"], count, "{made}");
    }

    /// How many requests there were so far, and how many run now.
    pub(crate) async fn requests(&self) -> (u64, u64) {
        let stats = self.control("GET", "stats", Value::Null).await;
        let number = |name: &str| stats[name].as_u64().expect("a count");
        (number("requests"), number("concurrency"))
    }

    /// The requests after the first `seq`, by method and path.
    pub(crate) async fn requests_since(&self, seq: u64) -> BTreeMap<String, usize> {
        let path = format!("journal?since={seq}");
        let journal = self.control("GET", &path, Value::Null).await;
        let mut counts = BTreeMap::new();
        for entry in journal.as_array().expect("a journal") {
            let name = format!("{} {}", text(&entry["method"]), text(&entry["path"]));
            *counts.entry(name).or_default() += 1;
        }
        counts
    }

    /// How long the list of an organization's tokens takes that no one parses, and how long it is, in
    /// MB.
    pub(crate) async fn list_tokens(&self, token: &str) -> (Duration, f64) {
        let begin = Instant::now();
        let bytes = crate::load::drain(&self.url, "/v2/clientIdSecrets", token).await;
        (begin.elapsed(), bytes as f64 / 1e6)
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        crate::load::once(&self.control, method, &format!("/control/{path}"), &body).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
