//! A mount of the plugin in a real Vault, with an organization of its own behind it.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use harness::Api;
use harness::Astra;
use harness::Cli;
use harness::Credential;
use harness::Holdings;
use harness::Options;
use harness::Plugin;
use harness::Process;
use harness::Server;
use harness::wait_until;
use serde_json::Value;
use serde_json::json;
use tokio::sync::OnceCell;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The version it reports.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
/// An Astra role that every organization has.
pub(crate) const READ_ONLY: &str = "API RO User";
/// How long Vault may take for what it does in the background.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Vault's rollback tick comes every minute.
pub(crate) const TICK: Duration = Duration::from_secs(100);

/// One test's stage.
pub(crate) struct Scene {
    pub(crate) server: Arc<Server>,
    pub(crate) api: Api,
    pub(crate) cli: Cli,
    pub(crate) astra: Astra,
    pub(crate) plugin: Plugin,
    /// The mount's path, without a slash.
    pub(crate) mount: String,
    holdings: Mutex<Holdings>,
}

impl Scene {
    /// A mount on the Vault that tests share, in the plugin process that they share.
    pub(crate) async fn new(name: &str) -> Self {
        let server = shared().await;
        let plugin = Plugin::install(&server, Path::new(BINARY), "astra", VERSION);
        Self::mounted(server, plugin, name).await
    }

    /// The same with an Astra whose clock is behind, so that what it makes now is old once the clock
    /// is set.
    pub(crate) async fn in_the_past(name: &str, by: Duration) -> Self {
        let server = shared().await;
        let plugin = Plugin::install(&server, Path::new(BINARY), "astra", VERSION);
        let astra = Astra::start_in_the_past(by).await;
        Self::mounted_on(server, plugin, astra, name).await
    }

    /// A mount on the Vault that tests share, in a plugin process of its own, which may be killed.
    pub(crate) async fn with_own_process(name: &str) -> Self {
        let server = shared().await;
        let plugin = Plugin::install(
            &server,
            Path::new(BINARY),
            &format!("astra-{name}"),
            VERSION,
        );
        plugin.register(&server.api()).await;
        Self::mounted(server, plugin, name).await
    }

    /// A mount on a Vault of its own.
    pub(crate) async fn with_own_server(name: &str, options: Options) -> Self {
        let server = Arc::new(Server::start(options).await);
        let plugin = Plugin::install(&server, Path::new(BINARY), "astra", VERSION);
        plugin.register(&server.api()).await;
        Self::mounted(server, plugin, name).await
    }

    /// A second mount of the same plugin, with another organization behind it.
    pub(crate) async fn second(&self, name: &str) -> Self {
        Self::mounted(Arc::clone(&self.server), self.plugin.clone(), name).await
    }

    async fn mounted(server: Arc<Server>, plugin: Plugin, mount: &str) -> Self {
        Self::mounted_on(server, plugin, Astra::start().await, mount).await
    }

    async fn mounted_on(server: Arc<Server>, plugin: Plugin, astra: Astra, mount: &str) -> Self {
        let api = server.api();
        plugin.enable(&api, mount, json!({})).await;
        let scene = Self {
            cli: server.cli(),
            api,
            astra,
            plugin,
            mount: mount.to_owned(),
            holdings: Mutex::default(),
            server,
        };
        scene.configure().await;
        scene
    }

    /// Writes the default config, and the role `reader` with leases of an hour.
    pub(crate) async fn configure(&self) {
        self.write(
            "config",
            json!({ "token": self.astra.root_token(), "url": self.astra.url() }),
        )
        .await
        .ok();
        self.role("reader", "1h", "8h").await;
    }

    /// Writes a role that grants [`READ_ONLY`].
    pub(crate) async fn role(&self, name: &str, ttl: &str, max_ttl: &str) {
        let role = json!({ "astra_roles": READ_ONLY, "ttl": ttl, "max_ttl": max_ttl });
        self.write(&format!("roles/{name}"), role).await.ok();
    }

    /// `path` below the mount.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.mount)
    }

    /// GET below the mount.
    pub(crate) async fn read(&self, path: &str) -> harness::Reply {
        self.api.read(&self.path(path)).await
    }

    /// PUT below the mount.
    pub(crate) async fn write(&self, path: &str, body: Value) -> harness::Reply {
        self.api.write(&self.path(path), body).await
    }

    /// Reads a credential of `role`, which must work against Astra.
    pub(crate) async fn credential(&self, role: &str) -> Credential {
        let answer = self.read(&format!("creds/{role}")).await.ok();
        let credential = self.hold(&answer);
        assert!(
            self.astra.accepts(&credential.token).await,
            "a fresh token works: {}",
            credential.client_id
        );
        credential
    }

    /// Remembers the credential in `answer`, so that [`Self::finish`] counts it.
    pub(crate) fn hold(&self, answer: &Value) -> Credential {
        let credential = Credential::parse(answer);
        self.holdings
            .lock()
            .unwrap()
            .leased
            .push(credential.clone());
        credential
    }

    /// Remembers a token that lives without a lease, in place of `before` if there was one.
    pub(crate) fn keep(&self, client_id: &str, before: Option<&str>) {
        let unleased = &mut self.holdings.lock().unwrap().unleased;
        if let Some(before) = before {
            unleased.remove(before);
        }
        unleased.insert(client_id.to_owned());
    }

    /// Remembers that a token without a lease is to be dead.
    pub(crate) fn forget(&self, client_id: &str) {
        self.holdings.lock().unwrap().unleased.remove(client_id);
    }

    /// Remembers that the emulator's own root token was to be deleted.
    pub(crate) fn expect_replaced_root(&self) {
        self.holdings.lock().unwrap().replaced_roots += 1;
    }

    /// Vault's OpenAPI document.  Vault asks every mount for it and fails if one of another test is
    /// just going away, so that is asked again.
    pub(crate) async fn openapi(&self) -> Value {
        let mut document = Value::Null;
        wait_until("Vault has its OpenAPI document", SOON, async || {
            let reply = self.api.read("sys/internal/specs/openapi").await;
            let is_ok = reply.is_ok();
            if is_ok {
                document = reply.ok();
            }
            is_ok
        })
        .await;
        document
    }

    /// Waits until what Vault leases is what Astra holds.
    pub(crate) async fn settle(&self, limit: Duration) {
        let holdings = self.holdings.lock().unwrap().clone();
        harness::settle(&self.api, &self.astra, &self.mount, &holdings, limit).await;
    }

    /// Ends a lease through Vault and waits for it.
    pub(crate) async fn revoke(&self, lease: &str) {
        self.api
            .write(
                "sys/leases/revoke",
                json!({ "lease_id": lease, "sync": true }),
            )
            .await
            .ok();
    }

    /// Waits until Astra refuses `token`.
    pub(crate) async fn until_dead(&self, token: &str, limit: Duration) {
        wait_until("Astra refuses the token", limit, async || {
            !self.astra.accepts(token).await
        })
        .await;
    }

    /// The plugin's process.
    pub(crate) fn process(&self) -> Process {
        self.plugin.process(&self.server)
    }

    /// What must be true after every test; then disables the mount, which must end all its
    /// tokens.
    pub(crate) async fn finish(self) {
        self.settle(SOON).await;
        self.api
            .delete(&format!("sys/mounts/{}", self.mount))
            .await
            .ok();
        let unleased: Vec<String> = self
            .holdings
            .lock()
            .unwrap()
            .unleased
            .iter()
            .cloned()
            .collect();
        let mut live = self.astra.live();
        live.sort();
        assert_eq!(live, unleased, "disabling a mount ends its leased tokens");
        self.check_logs();
    }

    /// No secret is in any log.
    pub(crate) fn check_logs(&self) {
        let leased = self.holdings.lock().unwrap().leased.clone();
        harness::assert_no_secret_logged(&self.server, &self.astra, &leased);
    }
}

/// The Vault that tests share, with the plugin registered as `astra`.
pub(crate) async fn shared() -> Arc<Server> {
    static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
    let server = SHARED
        .get_or_init(|| async {
            let server = Server::start(Options::default()).await;
            Plugin::install(&server, Path::new(BINARY), "astra", VERSION)
                .register(&server.api())
                .await;
            Arc::new(server)
        })
        .await;
    Arc::clone(server)
}
