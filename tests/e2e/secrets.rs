//! Everything that a mount does, at trace level, and then a search for every secret that it was given or minted: in
//! logs, in storage, in answers, in what the kernel shows of the process.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::Malformation;
use astra_emulator::fault::RedirectTarget;
use harness::Options;
use harness::Reply;
use harness::Storage;
use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use harness::READ_ONLY;
use harness::SOON;
use harness::TICK;
use harness::TOO_LONG;
use harness::TestMount;

use crate::setup;

/// The variable that makes the plugin log all it can.
const LOG_LEVEL: (&str, &str) = ("ASTRA_PLUGIN_LOG_LEVEL", "trace");
/// Where secrets are the purpose of an answer.
const GIVING: [&str; 2] = ["creds/", "static-creds/"];

/// A mount that remembers what it showed, and what must not be seen.
struct Watched {
    mount: TestMount,
    /// Answers that have no business with secrets.
    shown: Vec<String>,
    /// Secrets that Astra does not know: refused root tokens, links to bundles.
    secrets: Vec<String>,
}

impl Watched {
    async fn start() -> Self {
        let options = Options {
            storage: Storage::Raft,
            environment: vec![(LOG_LEVEL.0.to_owned(), LOG_LEVEL.1.to_owned())],
            ..Options::default()
        };
        Self {
            mount: setup::mount_with_own_server("secrecy", options).await,
            shown: Vec::new(),
            secrets: Vec::new(),
        }
    }

    async fn read(&mut self, path: &str) -> Reply {
        let reply = self.mount.read(path).await;
        self.note(path, reply)
    }

    async fn list(&mut self, path: &str) -> Reply {
        let reply = self.mount.api.list(&self.mount.path(path)).await;
        self.note(path, reply)
    }

    async fn write(&mut self, path: &str, body: Value) -> Reply {
        let reply = self.mount.write(path, body).await;
        self.note(path, reply)
    }

    /// Remembers an answer, or the secrets in it if these are its purpose.
    fn note(&mut self, path: &str, reply: Reply) -> Reply {
        if reply.is_ok() && GIVING.iter().any(|giving| path.starts_with(giving)) {
            let link = &reply.body["data"]["secure_connect_bundle_url"];
            self.secrets.extend(link.as_str().map(str::to_owned));
        } else {
            self.shown.push(reply.body.to_string());
        }
        reply
    }

    /// Every answer of Astra to `method` is spoilt so while `path` is asked for.
    async fn spoilt(&mut self, method: &str, fault: Fault, path: &str) {
        let rule = FaultRule::new(fault).on(method, "/v2/*");
        self.mount.astra.emulator.add_fault(rule).unwrap();
        let reply = self.read(path).await;
        self.mount.astra.emulator.clear_faults();
        if reply.is_ok() && path.starts_with("creds/") {
            self.mount.hold(&reply.ok());
        }
    }

    /// What must not be seen anywhere.
    fn all_secrets(&self) -> Vec<String> {
        let mut secrets = self.secrets.clone();
        for secret in self.mount.astra.secrets() {
            // The last part of a token is as good as all of it.
            secrets.extend(secret.rsplit(':').next().map(str::to_owned));
            secrets.push(secret);
        }
        secrets.push(self.mount.server.root_token().to_owned());
        secrets.retain(|secret| secret.len() > 8);
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

#[tokio::test]
async fn no_secret_is_seen_where_it_has_no_business() {
    let mut watched = Watched::start().await;
    use_everything(&mut watched).await;
    fail_in_every_way(&mut watched).await;
    let process = watched.mount.process();
    let of_process = ["cmdline", "environ"].map(|file| {
        let path = format!("/proc/{}/{file}", process.0);
        (path.clone(), fs::read(path).unwrap())
    });
    end_and_begin_again(&mut watched).await;

    let Watched { mount, shown, .. } = &watched;
    let secrets = watched.all_secrets();
    assert!(secrets.len() > 40, "{} secrets", secrets.len());
    let log = mount.server.log();
    let audit = mount.server.audit_log();
    // These are what they are taken for, or the search would prove nothing.
    assert!(
        log.contains("[TRACE] secrets.astra"),
        "the plugin's trace lines"
    );
    assert!(audit.contains(&mount.path("creds/reader")));
    let mut places = vec![
        ("Vault's log".to_owned(), log.into_bytes()),
        ("the audit log".to_owned(), audit.into_bytes()),
        ("answers".to_owned(), shown.join("\n").into_bytes()),
    ];
    places.extend(of_process);
    let stored = files(&mount.server.data_directory());
    assert!(
        stored
            .iter()
            .any(|(_, bytes)| has(bytes, "v1/config/default")),
        "storage keys are in clear, what is stored there is not"
    );
    places.extend(stored);
    places.extend(files(&mount.server.temporary_directory()));
    for (place, bytes) in &places {
        for secret in &secrets {
            assert!(
                !has(bytes, secret),
                "a secret is in {place}: {}…",
                &secret[..9]
            );
        }
    }
    watched.mount.finish().await;
}

/// Whatever works.
async fn use_everything(watched: &mut Watched) {
    let database = watched.list("databases/default").await.data();
    let infos = database["key_info"].as_object().unwrap();
    let active = infos.iter().find(|(_, info)| info["status"] == "ACTIVE");
    let database = active.unwrap().0.clone();
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}"], "actions": ["org-db-view"], "effect": "allow",
    });
    for (path, body) in [
        (
            "roles/bundled",
            json!({
                "astra_roles": READ_ONLY, "ttl": "1h", "database_id": database,
                "secure_connect_bundle": true,
            }),
        ),
        (
            "roles/custom",
            json!({ "policy": policy, "ttl": "1h", "require_reason": true }),
        ),
        (
            "static-roles/batch",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "24h", "overlap": "1h" }),
        ),
    ] {
        watched.write(path, body).await.ok();
    }
    for path in ["creds/reader", "creds/bundled"] {
        let answer = watched.read(path).await.ok();
        let credential = watched.mount.hold(&answer);
        let lease = json!({ "lease_id": credential.lease_id });
        watched
            .mount
            .api
            .write("sys/leases/renew", lease)
            .await
            .ok();
        watched.mount.revoke(&credential.lease_id).await;
    }
    let answer = watched
        .write("creds/custom", json!({ "reason": "a test" }))
        .await
        .ok();
    watched.mount.hold(&answer);
    for _ in 0..2 {
        let data = watched.read("static-creds/batch").await.data();
        watched
            .mount
            .keep(data["client_id"].as_str().unwrap(), None);
        watched.write("rotate-role/batch", json!({})).await.ok();
    }
    let data = watched.read("static-creds/batch").await.data();
    watched
        .mount
        .keep(data["client_id"].as_str().unwrap(), None);
    watched.mount.expect_replaced_root();
    let root = watched.write("rotate-root", json!({})).await.data();
    watched
        .mount
        .keep(root["token_client_id"].as_str().unwrap(), None);
    watched.write("tidy", json!({})).await.ok();
    for path in [
        "config",
        "status",
        "roles/bundled",
        "roles/custom",
        "static-roles/batch",
    ] {
        watched.read(path).await.ok();
    }
    for path in [
        "config",
        "roles",
        "static-roles",
        "tokens/default",
        "astra-roles/default",
    ] {
        watched.list(path).await.ok();
    }
}

/// Whatever does not.
async fn fail_in_every_way(watched: &mut Watched) {
    let hash = "5ec2e7".repeat(10) + "abcd";
    let token = format!("AstraCS:markedMarkedMarkedMarked:{hash}");
    let url = watched.mount.astra.url();
    watched.secrets.extend([hash, "5ec2e7-unusual".to_owned()]);
    for token in [
        json!(token),
        json!("5ec2e7-unusual"),
        json!([token]),
        json!({ "t": token }),
    ] {
        let body = json!({ "token": token, "url": url });
        assert!(!watched.write("config/marked", body).await.is_ok());
    }
    let elsewhere = RedirectTarget::OtherHost("127.0.0.1:9".to_owned());
    for fault in [
        Fault::Status {
            status: 400,
            body: FaultBody::String,
            retry_after: None,
            committed: false,
        },
        Fault::Status {
            status: 503,
            body: FaultBody::Html,
            retry_after: None,
            committed: true,
        },
        Fault::MalformedJson {
            how: Malformation::Cut,
        },
        Fault::MalformedJson {
            how: Malformation::Trailing,
        },
        Fault::MalformedJson {
            how: Malformation::WrongTypes,
        },
        Fault::OkWithErrors {},
        Fault::WrongHash {},
        Fault::RolesMismatch {},
        Fault::Gzip {},
        Fault::ResetAfterCommit {},
        Fault::Truncate {
            bytes: None,
            chunked: false,
            then: Default::default(),
        },
        Fault::Redirect {
            status: 307,
            to: elsewhere,
            committed: false,
        },
    ] {
        watched.spoilt("POST", fault, "creds/reader").await;
    }
    let garbage = Fault::MalformedJson {
        how: Malformation::Trailing,
    };
    watched.spoilt("GET", garbage, "status").await;
    // What could not be undone is cleared by ticks.
    watched.mount.until_reconciled(TICK).await;
}

/// The plugin is reloaded and killed, Vault is killed.
async fn end_and_begin_again(watched: &mut Watched) {
    let reload = json!({ "plugin": watched.mount.plugin.name });
    watched
        .mount
        .api
        .write("sys/plugins/reload/backend", reload)
        .await
        .ok();
    let answer = watched.read("creds/reader").await.ok();
    watched.mount.hold(&answer);
    watched.mount.astra.set_mint_answer_delay(TOO_LONG);
    let process = watched.mount.process();
    let live = watched.mount.astra.live().len();
    let kill = async {
        watched.mount.astra.until_live(live + 1, SOON).await;
        // Only later mints are answered at once, such as that of a repeated request.
        watched.mount.astra.set_mint_answer_delay(Duration::ZERO);
        process.kill();
    };
    let (reply, ()) = tokio::join!(watched.mount.read("creds/reader"), kill);
    let reply = watched.note("creds/reader", reply);
    if reply.is_ok() {
        watched.mount.hold(&reply.ok());
    }
    watched.mount.until_reconciled(TICK).await;
    let process = watched.mount.process();
    watched.mount.server.kill();
    wait_until("the plugin has ended with Vault", SOON, async || {
        !process.is_alive()
    })
    .await;
    watched.mount.server.restart().await;
    let answer = watched.read("creds/bundled").await.ok();
    watched.mount.hold(&answer);
}

/// All files below `folder`, by their path.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn has(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    let first = text[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
