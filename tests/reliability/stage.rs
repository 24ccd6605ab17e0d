//! A mount of the plugin in a real Vault, with an organization of its own behind it.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::Origin;
use harness::Api;
use harness::Astra;
use harness::Credential;
use harness::Options;
use harness::Plugin;
use harness::Process;
use harness::Reply;
use harness::Server;
use harness::Storage;
use harness::Stored;
use harness::wait_until;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::balance::Balance;
use crate::balance::Books;
use crate::binary;

/// How long something may take that Vault does in the background at once.
pub(crate) const SOON: Duration = Duration::from_secs(90);
/// How long it may take until Vault's rollback tick, which comes every minute, has ended; on a machine
/// that has much else to do.
pub(crate) const TICK: Duration = Duration::from_secs(240);

/// One mount and what belongs to it.
pub(crate) struct Stage {
    pub(crate) server: Arc<Server>,
    pub(crate) api: Api,
    pub(crate) astra: Astra,
    pub(crate) plugin: Plugin,
    /// The mount's path, without a slash.
    pub(crate) mount: String,
    pub(crate) stored: Stored,
    /// Naming a crash point in this file makes the plugin die there.
    crash_file: PathBuf,
}

/// A server whose storage can be looked into.
pub(crate) async fn server(storage: Storage) -> Arc<Server> {
    let options = Options {
        storage,
        raw_storage: true,
        audit: false,
        log_level: "debug",
        ..Options::default()
    };
    Arc::new(Server::start(options).await)
}

impl Stage {
    /// A mount in a process of its own on `server`.
    pub(crate) async fn new(server: &Arc<Server>, binary: &Path, name: &str) -> Self {
        let stage = Self::mounted(Astra::start().await, server, binary, name).await;
        stage.configure().await;
        stage
    }

    /// A mount that has nothing yet, with `astra` for it.
    pub(crate) async fn mounted(
        astra: Astra,
        server: &Arc<Server>,
        binary: &Path,
        name: &str,
    ) -> Self {
        let name = format!("astra-{}", name.replace('.', "-"));
        let plugin = Plugin::install(server, binary, &name, binary::VERSION);
        let crash_file = server.temporary_directory().join(format!("{name}.point"));
        let api = server.api();
        let variable = format!("ASTRA_CRASH_FILE={}", crash_file.display());
        plugin.register_with(&api, &[variable]).await;
        plugin.enable(&api, &name, json!({})).await;
        Self {
            stored: Stored::new(&api, &name),
            api,
            astra,
            plugin,
            mount: name,
            crash_file,
            server: Arc::clone(server),
        }
    }

    /// What its config is written with.
    pub(crate) fn config(&self) -> Value {
        json!({ "token": self.astra.root_token(), "url": self.astra.url() })
    }

    /// Writes the config and the role `reader`.
    pub(crate) async fn configure(&self) {
        let path = format!("{}/config", self.mount);
        self.insist(Method::PUT, &path, Some(self.config())).await;
        self.role("reader", "1h", "8h").await;
    }

    /// A mount of the plain plugin on a server of its own.
    pub(crate) async fn with_own_server(name: &str, storage: Storage) -> Self {
        let server = server(storage).await;
        Self::new(&server, Path::new(binary::PLAIN), name).await
    }

    /// Writes a role.
    pub(crate) async fn role(&self, name: &str, ttl: &str, max_ttl: &str) {
        let role = json!({ "astra_roles": "API RO User", "ttl": ttl, "max_ttl": max_ttl });
        self.write(&format!("roles/{name}"), role).await.ok();
    }

    /// GET below the mount.
    pub(crate) async fn read(&self, path: &str) -> Reply {
        self.api.read(&format!("{}/{path}", self.mount)).await
    }

    /// PUT below the mount.
    pub(crate) async fn write(&self, path: &str, body: Value) -> Reply {
        self.api
            .write(&format!("{}/{path}", self.mount), body)
            .await
    }

    /// A credential, which must be had.
    pub(crate) async fn credential(&self, role: &str) -> Credential {
        let path = format!("{}/creds/{role}", self.mount);
        Credential::parse(&self.insist(Method::GET, &path, None).await)
    }

    /// Asks for a credential and goes away before the answer, again and again until that has shown: on a
    /// busy machine a caller may go away before the plugin has even heard of it.
    pub(crate) async fn go_away_until(&self, patience: Duration, has_shown: impl Fn() -> bool) {
        let path = format!("{}/creds/reader", self.mount);
        let deadline = Instant::now() + SOON;
        let mut patience = patience;
        while !has_shown() {
            assert!(
                Instant::now() < deadline,
                "nothing shows of callers that go away"
            );
            let api = Api::new(self.api.address(), self.api.token());
            let read = api.try_request(Method::GET, &path, None);
            let answer = tokio::time::timeout(patience, read).await;
            assert!(
                !matches!(answer, Ok(Ok(reply)) if reply.is_ok()),
                "an answer came too early"
            );
            let shows_by = Instant::now() + 4 * patience.max(Duration::from_secs(1));
            while !has_shown() && Instant::now() < shows_by {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            patience = (patience * 3 / 2).min(Duration::from_millis(1_500));
        }
    }

    /// What to compare.
    pub(crate) async fn books(&self) -> Books<'_> {
        let mut own = BTreeSet::new();
        for (list, one) in [("config", "config"), ("static-roles", "static-roles")] {
            for name in self.names(list).await {
                let data = self.data(&format!("{one}/{name}")).await;
                let client_id = data
                    .get("token_client_id")
                    .or_else(|| data.get("client_id"));
                own.insert(
                    client_id
                        .and_then(Value::as_str)
                        .expect("a client id")
                        .to_owned(),
                );
            }
        }
        // Only what was minted is counted: root tokens are not, until they are rotated.
        let minted: BTreeSet<String> = self
            .astra
            .emulator
            .tokens(false)
            .into_iter()
            .filter(|token| token.origin == Origin::Api)
            .map(|token| token.client_id)
            .collect();
        Books {
            mount: &self.mount,
            stored: &self.stored,
            astra: &self.astra,
            own: own.intersection(&minted).cloned().collect(),
        }
    }

    /// Waits until Astra and Vault agree.
    pub(crate) async fn settled(&self, limit: Duration) -> Balance {
        Balance::settled(&self.books().await, limit).await
    }

    /// The keys of a list below the mount, which may be empty.
    pub(crate) async fn names(&self, list: &str) -> Vec<String> {
        let path = format!("{}/{list}", self.mount);
        let mut keys = None;
        wait_until(&format!("{path} is listed"), SOON, async || {
            let reply = self.api.list(&path).await;
            keys = (reply.is_ok() || reply.status == 404).then(|| reply.keys());
            keys.is_some()
        })
        .await;
        keys.unwrap()
    }

    /// The data of something below the mount that exists.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let path = format!("{}/{path}", self.mount);
        self.insist(Method::GET, &path, None).await["data"].take()
    }

    /// Sends a request until it succeeds, as who got an error does. For a moment after a process died
    /// Vault may still send requests to it.
    pub(crate) async fn insist(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut answer = None;
        wait_until(&format!("{method} {path} succeeds"), SOON, async || {
            let reply = self.api.request(method.clone(), path, body.clone()).await;
            answer = reply.is_ok().then_some(reply.body);
            answer.is_some()
        })
        .await;
        answer.unwrap()
    }

    /// Ends a lease and waits for it.
    pub(crate) async fn revoke(&self, lease: &str) -> Reply {
        let body = json!({ "lease_id": lease, "sync": true });
        self.api.write("sys/leases/revoke", body).await
    }

    /// The plugin's process.
    pub(crate) fn process(&self) -> Process {
        self.plugin.process(&self.server)
    }

    /// Kills the plugin and waits for its end.
    pub(crate) async fn end_process(&self) {
        let process = self.process();
        process.kill();
        wait_until("the plugin is dead", SOON, async || !process.is_alive()).await;
    }

    /// Makes the plugin die at `point`, once.
    pub(crate) fn arm(&self, point: &str) {
        self.arm_all(&[point]);
    }

    /// Makes the plugin die at each of `points`, one after the other.
    pub(crate) fn arm_all(&self, points: &[&str]) {
        // As one step, so that nobody reads half of it.
        let written = self.crash_file.with_extension("written");
        std::fs::write(&written, points.join("\n")).expect("a crash file");
        std::fs::rename(&written, &self.crash_file).expect("a crash file");
    }

    /// Whether an armed point has not been hit yet.
    pub(crate) fn is_armed(&self) -> bool {
        self.crash_file.exists()
    }

    /// Whether `point` is the next at which the plugin dies.
    fn is_next(&self, point: &str) -> bool {
        let armed = std::fs::read_to_string(&self.crash_file).unwrap_or_default();
        armed.lines().next() == Some(point)
    }

    /// Sends a request until the plugin has died at the armed `point`, and tells what came back then. For
    /// a moment after a process died before, Vault may still send requests to that one.
    pub(crate) async fn die_at(
        &self,
        point: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let mut last = None;
        wait_until(&format!("{point} is hit"), SOON, async || {
            last = Some(self.api.request(method.clone(), path, body.clone()).await);
            !self.is_next(point) || last.as_ref().is_some_and(Reply::is_ok)
        })
        .await;
        assert!(!self.is_next(point), "{point} was not hit");
        last.unwrap()
    }

    /// Waits until a rollback tick that ended after this call has cleared up, and returns how many tasks
    /// the plugin had then.
    pub(crate) async fn until_tick(&self) -> usize {
        until_ticked(&[&self.server], &self.plugin.name).await
    }
}

/// Waits until a rollback tick of `plugin` has ended after this call on one of `servers`, and returns how
/// many tasks the plugin had then.
pub(crate) async fn until_ticked(servers: &[&Server], plugin: &str) -> usize {
    let is_tick = |line: &&str| line.contains("the tick has ended") && line.contains(plugin);
    let mut logs: Vec<(&Server, u64)> = servers
        .iter()
        .map(|server| (*server, server.log_length()))
        .collect();
    let mut tasks = None;
    wait_until("a tick has ended", TICK, async || {
        for (server, offset) in &mut logs {
            let (lines, length) = server.log_since(*offset);
            // The last line may not be complete yet.
            let rest = lines.len() - lines.rfind('\n').map_or(0, |at| at + 1);
            *offset = length - u64::try_from(rest).unwrap();
            tasks = tasks.or(lines.lines().find(is_tick).map(tasks_in));
        }
        tasks.is_some()
    })
    .await;
    tasks.unwrap()
}

/// How many tasks the line of a tick tells of.
fn tasks_in(line: &str) -> usize {
    let number = line.split("tasks=").nth(1).unwrap_or_default();
    let number = number.split(|c: char| !c.is_ascii_digit()).next();
    let number = number.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no tasks in {line}"))
}
