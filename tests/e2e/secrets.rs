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

use crate::scene::READ_ONLY;
use crate::scene::SOON;
use crate::scene::Scene;
use crate::scene::TICK;

/// The variable that makes the plugin log all it can.
const LOG_LEVEL: (&str, &str) = ("ASTRA_PLUGIN_LOG_LEVEL", "trace");
/// Where secrets are the purpose of an answer.
const GIVING: [&str; 2] = ["creds/", "static-creds/"];

/// A mount that remembers what it showed, and what must not be seen.
struct Watched {
    scene: Scene,
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
            scene: Scene::with_own_server("secrecy", options).await,
            shown: Vec::new(),
            secrets: Vec::new(),
        }
    }

    async fn read(&mut self, path: &str) -> Reply {
        let reply = self.scene.read(path).await;
        self.note(path, reply)
    }

    async fn list(&mut self, path: &str) -> Reply {
        let reply = self.scene.api.list(&self.scene.path(path)).await;
        self.note(path, reply)
    }

    async fn write(&mut self, path: &str, body: Value) -> Reply {
        let reply = self.scene.write(path, body).await;
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
        self.scene.astra.emulator.add_fault(rule).unwrap();
        let reply = self.read(path).await;
        self.scene.astra.emulator.clear_faults();
        if reply.is_ok() && path.starts_with("creds/") {
            self.scene.hold(&reply.ok());
        }
    }

    /// What must not be seen anywhere.
    fn all_secrets(&self) -> Vec<String> {
        let mut secrets = self.secrets.clone();
        for secret in self.scene.astra.secrets() {
            // The last part of a token is as good as all of it.
            secrets.extend(secret.rsplit(':').next().map(str::to_owned));
            secrets.push(secret);
        }
        secrets.push(self.scene.server.root_token().to_owned());
        secrets.retain(|secret| secret.len() > 8);
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

#[tokio::test]
async fn no_secret_is_seen_where_it_has_no_business() {
    let mut mount = Watched::start().await;
    use_everything(&mut mount).await;
    fail_in_every_way(&mut mount).await;
    let process = mount.scene.process();
    let of_process = ["cmdline", "environ"].map(|file| {
        let path = format!("/proc/{}/{file}", process.0);
        (path.clone(), fs::read(path).unwrap())
    });
    end_and_begin_again(&mut mount).await;

    let Watched { scene, shown, .. } = &mount;
    let secrets = mount.all_secrets();
    assert!(secrets.len() > 40, "{} secrets", secrets.len());
    let log = scene.server.log();
    let audit = scene.server.audit_log();
    // These are what they are taken for, or the search would prove nothing.
    assert!(
        log.contains("[TRACE] secrets.astra"),
        "the plugin's trace lines"
    );
    assert!(audit.contains(&scene.path("creds/reader")));
    let mut places = vec![
        ("Vault's log".to_owned(), log.into_bytes()),
        ("the audit log".to_owned(), audit.into_bytes()),
        ("answers".to_owned(), shown.join("\n").into_bytes()),
    ];
    places.extend(of_process);
    let stored = files(&scene.server.data_directory());
    assert!(
        stored
            .iter()
            .any(|(_, bytes)| has(bytes, "v1/config/default")),
        "storage keys are in clear, what is stored there is not"
    );
    places.extend(stored);
    places.extend(files(&scene.server.temporary_directory()));
    for (place, bytes) in &places {
        for secret in &secrets {
            assert!(
                !has(bytes, secret),
                "a secret is in {place}: {}…",
                &secret[..9]
            );
        }
    }
    mount.scene.finish().await;
}

/// Whatever works.
async fn use_everything(mount: &mut Watched) {
    let database = mount.list("databases/default").await.data();
    let infos = database["key_info"].as_object().unwrap();
    let active = infos.iter().find(|(_, info)| info["status"] == "ACTIVE");
    let database = active.unwrap().0.clone();
    let policy = json!({ "resources": ["drn:astra:org:{{org_id}}"], "actions": ["org-db-view"], "effect": "allow" });
    for (path, body) in [
        (
            "roles/bundled",
            json!({ "astra_roles": READ_ONLY, "ttl": "1h", "database_id": database, "secure_connect_bundle": true }),
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
        mount.write(path, body).await.ok();
    }
    for path in ["creds/reader", "creds/bundled"] {
        let answer = mount.read(path).await.ok();
        let credential = mount.scene.hold(&answer);
        let lease = json!({ "lease_id": credential.lease_id });
        mount.scene.api.write("sys/leases/renew", lease).await.ok();
        mount.scene.revoke(&credential.lease_id).await;
    }
    let answer = mount
        .write("creds/custom", json!({ "reason": "a test" }))
        .await
        .ok();
    mount.scene.hold(&answer);
    for _ in 0..2 {
        let data = mount.read("static-creds/batch").await.data();
        mount.scene.keep(data["client_id"].as_str().unwrap(), None);
        mount.write("rotate-role/batch", json!({})).await.ok();
    }
    let data = mount.read("static-creds/batch").await.data();
    mount.scene.keep(data["client_id"].as_str().unwrap(), None);
    mount.scene.expect_replaced_root();
    let root = mount.write("rotate-root", json!({})).await.data();
    mount
        .scene
        .keep(root["token_client_id"].as_str().unwrap(), None);
    mount.write("tidy", json!({})).await.ok();
    for path in [
        "config",
        "status",
        "roles/bundled",
        "roles/custom",
        "static-roles/batch",
    ] {
        mount.read(path).await.ok();
    }
    for path in [
        "config",
        "roles",
        "static-roles",
        "tokens/default",
        "astra-roles/default",
    ] {
        mount.list(path).await.ok();
    }
}

/// Whatever does not.
async fn fail_in_every_way(mount: &mut Watched) {
    let hash = "5ec2e7".repeat(10) + "abcd";
    let token = format!("AstraCS:markedMarkedMarkedMarked:{hash}");
    let url = mount.scene.astra.url();
    mount.secrets.extend([hash, "5ec2e7-unusual".to_owned()]);
    for token in [
        json!(token),
        json!("5ec2e7-unusual"),
        json!([token]),
        json!({ "t": token }),
    ] {
        let body = json!({ "token": token, "url": url });
        assert!(!mount.write("config/marked", body).await.is_ok());
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
        },
    ] {
        mount.spoilt("POST", fault, "creds/reader").await;
    }
    let garbage = Fault::MalformedJson {
        how: Malformation::Trailing,
    };
    mount.spoilt("GET", garbage, "status").await;
    // What could not be undone is cleared by ticks.
    mount.scene.settle(TICK).await;
}

/// The plugin is reloaded and killed, Vault is killed.
async fn end_and_begin_again(mount: &mut Watched) {
    let reload = json!({ "plugin": mount.scene.plugin.name });
    mount
        .scene
        .api
        .write("sys/plugins/reload/backend", reload)
        .await
        .ok();
    let answer = mount.read("creds/reader").await.ok();
    mount.scene.hold(&answer);
    mount
        .scene
        .astra
        .set_mint_answer_delay(Duration::from_secs(30));
    let process = mount.scene.process();
    let live = mount.scene.astra.live().len();
    let kill = async {
        mount.scene.astra.until_live(live + 1, SOON).await;
        process.kill();
        mount.scene.astra.set_mint_answer_delay(Duration::ZERO);
    };
    let (reply, ()) = tokio::join!(mount.scene.read("creds/reader"), kill);
    let reply = mount.note("creds/reader", reply);
    if reply.is_ok() {
        mount.scene.hold(&reply.ok());
    }
    mount.scene.settle(TICK).await;
    let process = mount.scene.process();
    mount.scene.server.kill();
    wait_until("the plugin has ended with Vault", SOON, async || {
        !process.is_alive()
    })
    .await;
    mount.scene.server.restart().await;
    let answer = mount.read("creds/bundled").await.ok();
    mount.scene.hold(&answer);
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
