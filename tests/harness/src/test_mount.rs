//! A mount of the plugin in a real server, with an organization of its own behind it.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::Api;
use crate::Astra;
use crate::Cli;
use crate::Credential;
use crate::Failpoints;
use crate::Holdings;
use crate::Plugin;
use crate::Process;
use crate::Reply;
use crate::Server;
use crate::Stored;
use crate::assert_no_secret_logged;
use crate::assert_reconciled;
use crate::wait_until;

/// An Astra role that every organization has.
pub const READ_ONLY: &str = "API RO User";
/// How long a server may take, on a busy machine, for what it does in the background at once.
pub const SOON: Duration = Duration::from_secs(300);
/// How long it may take, on a busy machine, until a rollback tick of the server has ended. A tick
/// comes every minute.
pub const TICK: Duration = Duration::from_secs(600);
/// How long an answer of Astra may be delayed so that the plugin never receives it: it waits 30 s for one.
/// Who kills the plugin before such an answer kills it before the token can have been handed out.
pub const TOO_LONG: Duration = Duration::from_secs(60);
/// How many lines of the server's log a failed test shows.
const SHOWN_LINES: usize = 100;

/// One mount and what belongs to it.
pub struct TestMount {
    /// The server.
    pub server: Arc<Server>,
    /// A client with the server's root token.
    pub api: Api,
    /// The server's command line with its root token.
    pub cli: Cli,
    /// The organization behind the mount.
    pub astra: Astra,
    /// The plugin that runs the mount.
    pub plugin: Plugin,
    /// The mount's path, without a slash.
    pub name: String,
    /// The mount's storage, which only a server with [`crate::Options::raw_storage`] shows.
    pub stored: Stored,
    /// Where the plugin is made to die.
    pub failpoints: Failpoints,
    holdings: Mutex<Holdings>,
}

/// How long a request may be refused because of what a dead process left: lists have to be clean for two
/// minutes, and ticks are a minute apart.
const CLEARED: Duration = Duration::from_secs(900);

impl TestMount {
    /// Mounts `plugin`, which is registered, at `name`. The mount has no config yet.
    pub async fn enable(server: &Arc<Server>, plugin: Plugin, astra: Astra, name: &str) -> Self {
        Self::enable_as(server.api(), server, plugin, astra, name).await
    }

    /// The same in a namespace.
    pub async fn enable_in(
        namespace: &str,
        server: &Arc<Server>,
        plugin: Plugin,
        astra: Astra,
        name: &str,
    ) -> Self {
        let api = server.api().in_namespace(namespace);
        Self::enable_as(api, server, plugin, astra, name).await
    }

    async fn enable_as(
        api: Api,
        server: &Arc<Server>,
        plugin: Plugin,
        astra: Astra,
        name: &str,
    ) -> Self {
        plugin.enable(&api, name, json!({})).await;
        Self {
            cli: server.cli(),
            stored: Stored::new(&api, name),
            failpoints: Failpoints::new(server, name),
            api,
            astra,
            plugin,
            name: name.to_owned(),
            holdings: Mutex::default(),
            server: Arc::clone(server),
        }
    }

    /// A second mount of the same plugin, configured, with another organization behind it.
    pub async fn second(&self, name: &str) -> Self {
        let astra = Astra::start().await;
        let mount = Self::enable(&self.server, self.plugin.clone(), astra, name).await;
        mount.configure().await;
        mount
    }

    /// What the default config is written with.
    pub fn config(&self) -> Value {
        json!({ "token": self.astra.root_token(), "url": self.astra.url() })
    }

    /// Writes the default config, and the role `reader` with leases of an hour.
    pub async fn configure(&self) {
        self.write("config", self.config()).await.ok();
        self.role("reader", "1h", "8h").await;
    }

    /// Writes a role that grants [`READ_ONLY`].
    pub async fn role(&self, name: &str, ttl: &str, max_ttl: &str) {
        let role = json!({ "astra_roles": READ_ONLY, "ttl": ttl, "max_ttl": max_ttl });
        self.write(&format!("roles/{name}"), role).await.ok();
    }

    /// `path` below the mount.
    pub fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.name)
    }

    /// GET below the mount.
    pub async fn read(&self, path: &str) -> Reply {
        self.api.read(&self.path(path)).await
    }

    /// PUT below the mount.
    pub async fn write(&self, path: &str, body: Value) -> Reply {
        self.api.write(&self.path(path), body).await
    }

    /// Reads a credential of `role`, which must work against Astra.
    pub async fn credential(&self, role: &str) -> Credential {
        let answer = self.read(&format!("creds/{role}")).await.ok();
        let credential = self.hold(&answer);
        assert!(
            self.astra.accepts(&credential.token).await,
            "a new token works: {}",
            credential.client_id
        );
        credential
    }

    /// Reads a credential of `role` until a read succeeds, as for a moment after the plugin died the
    /// server may still send requests to the dead process.
    pub async fn eventual_credential(&self, role: &str) -> Credential {
        let path = self.path(&format!("creds/{role}"));
        Credential::parse(&self.insist(Method::GET, &path, None).await)
    }

    /// Remembers the credential in `answer`, so that [`Self::finish`] counts it.
    pub fn hold(&self, answer: &Value) -> Credential {
        let credential = Credential::parse(answer);
        self.holdings.lock().leased.push(credential.clone());
        credential
    }

    /// Remembers a token that lives without a lease, in place of `before` if there was one.
    pub fn keep(&self, client_id: &str, before: Option<&str>) {
        let unleased = &mut self.holdings.lock().unleased;
        if let Some(before) = before {
            unleased.remove(before);
        }
        unleased.insert(client_id.to_owned());
    }

    /// Remembers that a token without a lease is to be dead.
    pub fn forget(&self, client_id: &str) {
        self.holdings.lock().unleased.remove(client_id);
    }

    /// Remembers that the emulator's own root token was to be deleted.
    pub fn expect_replaced_root(&self) {
        self.holdings.lock().replaced_roots += 1;
    }

    /// The server's OpenAPI document. The server asks every mount for it and fails if one of another
    /// test is just going away, so the request is repeated.
    pub async fn openapi(&self) -> Value {
        self.insist(Method::GET, "sys/internal/specs/openapi", None)
            .await
    }

    /// The keys of a list below the mount, which may be empty.
    pub async fn names(&self, list: &str) -> Vec<String> {
        let path = self.path(list);
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
    pub async fn data(&self, path: &str) -> Value {
        let path = self.path(path);
        self.insist(Method::GET, &path, None).await["data"].take()
    }

    /// Repeats a request until it succeeds, and returns its body. For a moment after the plugin died
    /// the server may still send requests to the dead process.
    pub async fn insist(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let deadline = Instant::now() + CLEARED;
        loop {
            let reply = self.api.request(method.clone(), path, body.clone()).await;
            if reply.is_ok() {
                return reply.body;
            }
            assert!(
                Instant::now() < deadline,
                "{method} {path} has failed for {CLEARED:?}, last with {reply:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for a credential and closes the connection before the answer, again and again until
    /// `has_shown`: on a busy machine a caller may go before the plugin has received the request.
    pub async fn abandon_reads_until(&self, timeout: Duration, has_shown: impl Fn() -> bool) {
        let path = self.path("creds/reader");
        let deadline = Instant::now() + SOON;
        let mut timeout = timeout;
        while !has_shown() {
            assert!(
                Instant::now() < deadline,
                "no abandoned read had an effect within {SOON:?}"
            );
            let api = Api::new(self.api.address(), self.api.token());
            let read = api.try_request(Method::GET, &path, None);
            let answer = tokio::time::timeout(timeout, read).await;
            assert!(
                !matches!(answer, Ok(Ok(reply)) if reply.is_ok()),
                "an answer came too early"
            );
            let shows_by = Instant::now() + 4 * timeout.max(Duration::from_secs(1));
            while !has_shown() && Instant::now() < shows_by {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            timeout = (timeout * 3 / 2).min(Duration::from_millis(1_500));
        }
    }

    /// Ends a lease through the server and waits for it.
    pub async fn revoke(&self, lease: &str) {
        self.try_revoke(lease).await.ok();
    }

    /// Asks the server to end a lease and to wait for it.
    pub async fn try_revoke(&self, lease: &str) -> Reply {
        let body = json!({ "lease_id": lease, "sync": true });
        self.api.write("sys/leases/revoke", body).await
    }

    /// Waits until Astra refuses `token`.
    pub async fn until_dead(&self, token: &str, limit: Duration) {
        wait_until("Astra refuses the token", limit, async || {
            !self.astra.accepts(token).await
        })
        .await;
    }

    /// The plugin's process.
    #[track_caller]
    pub fn process(&self) -> Process {
        self.plugin.process(&self.server)
    }

    /// Kills the plugin and waits for its end.
    pub async fn end_process(&self) {
        let process = self.process();
        process.kill();
        wait_until("the plugin is dead", SOON, async || !process.is_alive()).await;
    }

    /// Waits until a rollback tick that ended after this call has finished its work, and returns how
    /// many tasks the plugin had then.
    pub async fn until_tick(&self) -> usize {
        crate::until_ticked(&[&self.server], &self.plugin.name).await
    }

    /// Waits until the leases of the server are the tokens of Astra.
    pub async fn until_reconciled(&self, limit: Duration) {
        let holdings = self.holdings.lock().clone();
        assert_reconciled(&self.api, &self.astra, &self.name, &holdings, limit).await;
    }

    /// Checks what must be true after every test; then disables the mount, which must end all its
    /// tokens.
    pub async fn finish(self) {
        self.until_reconciled(SOON).await;
        self.api
            .delete(&format!("sys/mounts/{}", self.name))
            .await
            .ok();
        let unleased = self.holdings.lock().unleased.clone();
        let unleased: Vec<String> = unleased.into_iter().collect();
        let mut live = self.astra.live();
        live.sort();
        assert_eq!(live, unleased, "disabling a mount ends its leased tokens");
        self.check_logs();
    }

    /// Checks that no secret is in any log.
    pub fn check_logs(&self) {
        let leased = self.holdings.lock().leased.clone();
        assert_no_secret_logged(&self.server, &self.astra, &leased);
    }
}

impl Drop for TestMount {
    /// The log ends with the server, so a test that fails shows what it says of the mount.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.server.log();
            let is_shown = |line: &&str| line.contains(&self.name) && !line.contains("[TRACE]");
            let lines: Vec<&str> = log.lines().filter(is_shown).collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("The log on {}:\n{}", self.name, last.join("\n"));
        }
    }
}
