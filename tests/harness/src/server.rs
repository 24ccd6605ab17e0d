//! One real Vault server.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::Api;
use crate::Cli;
use crate::Host;
use crate::Port;
use crate::Process;
use crate::guard::Guard;
use crate::wait_until;

/// Where a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Memory; a restart loses everything.
    Memory,
    /// Integrated storage; survives a restart and can form clusters.
    Raft,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps its data.
    pub storage: Storage,
    /// Whether it writes an audit log. Off only for measurements.
    pub audit: bool,
    /// The level of the server's own log.
    pub log_level: &'static str,
    /// More variables for its environment, which is otherwise empty but for `PATH`.
    pub environment: Vec<(String, String)>,
    /// `-dev -dev-plugin-dir` instead of a configuration file.
    pub development: bool,
    /// Whether `sys/raw` may be read, to see what the server and its plugins really store.
    pub raw_storage: bool,
    /// `performance_multiplier` of integrated storage, from 1 to 10. A node alone leads at once with a small
    /// one; a [`crate::Cluster`] sets its own.
    pub raft_multiplier: u8,
    /// More lines for the configuration file.
    pub configuration: String,
    /// Files to put into the plugin directory before the start, as (name, file).
    pub plugins: Vec<(String, PathBuf)>,
}

/// A running Vault server, unsealed, with its files in a directory of its own.
///
/// It ends when it is dropped, and also when this process dies.
pub struct Server {
    /// The program that it runs.
    pub host: &'static Host,
    options: Options,
    home: TempDir,
    port: Port,
    cluster_port: Port,
    root_token: String,
    unseal_key: String,
    /// Whether other nodes may be the active one.
    pub(crate) in_cluster: bool,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    _guard: Guard,
}

/// The audit log in a server's directory, where the server runs.
const AUDIT_LOG: &str = "audit.log";
/// How long a server may take for one step of its start on a busy machine.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(300);
/// How long it may take for an orderly end there.
const STOP_LIMIT: Duration = Duration::from_secs(60);

impl Default for Options {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            audit: true,
            log_level: "trace",
            environment: Vec::new(),
            development: false,
            raw_storage: false,
            raft_multiplier: 1,
            configuration: String::new(),
            plugins: Vec::new(),
        }
    }
}

impl Server {
    /// Starts a server, initializes and unseals it, and turns its audit log on.
    pub async fn start(options: Options) -> Self {
        let mut server = Self::launch(options).await;
        if server.options.development {
            server.root_token = "root".to_owned();
        } else {
            server.initialize().await;
            server.unseal().await;
        }
        if server.options.audit && !server.has_audit_device().await {
            let options = json!({ "file_path": server.audit_path().to_string_lossy() });
            server
                .api()
                .write(
                    "sys/audit/file",
                    json!({ "type": "file", "options": options }),
                )
                .await
                .ok();
        }
        server
    }

    /// Starts a server that is not initialized yet, to become part of a cluster.
    pub(crate) async fn launch(options: Options) -> Self {
        let home = tempfile::Builder::new()
            .prefix("vault-")
            .tempdir()
            .expect("a temporary directory");
        for folder in ["plugins", "tmp", "data"] {
            fs::create_dir(home.path().join(folder)).expect("a directory for the server");
        }
        for (name, file) in &options.plugins {
            fs::copy(file, home.path().join("plugins").join(name)).expect("a plugin to copy");
        }
        let server = Self {
            host: Host::current(),
            options,
            home,
            port: Port::reserve(),
            cluster_port: Port::reserve(),
            root_token: String::new(),
            unseal_key: String::new(),
            in_cluster: false,
            running: Mutex::new(None),
        };
        fs::write(server.home.path().join("vault.hcl"), server.configuration())
            .expect("a configuration file");
        server.run();
        server.wait_for_listener().await;
        server
    }

    /// A client with the root token.
    pub fn api(&self) -> Api {
        Api::new(&self.address(), &self.root_token)
    }

    /// The `vault` program with the root token.
    pub fn cli(&self) -> Cli {
        Cli {
            binary: self.host.binary.clone(),
            address: self.address(),
            token: self.root_token.clone(),
            home: self.home.path().to_owned(),
        }
    }

    /// Its address, such as `http://127.0.0.1:20123`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// The token with all rights.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// Where plugins must be.
    pub fn plugin_directory(&self) -> PathBuf {
        self.home.path().join("plugins")
    }

    /// The `TMPDIR` of the server and of its plugins.
    pub fn temporary_directory(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    /// Its data, for storage that has files.
    pub fn data_directory(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Its process; panics if it was killed.
    pub fn process(&self) -> Process {
        let running = self.running.lock();
        Process(running.as_ref().expect("a server that runs").child.id())
    }

    /// Everything it and its plugins have logged so far, over all its starts.
    pub fn log(&self) -> String {
        read_lossy(&self.log_path())
    }

    /// What [`Self::log`] has after its first `offset` bytes, and how long it is now.
    pub fn log_since(&self, offset: u64) -> (String, u64) {
        use std::io::Read;
        use std::io::Seek;
        let Ok(mut file) = File::open(self.log_path()) else {
            return (String::new(), offset);
        };
        let mut bytes = Vec::new();
        let _ = file.seek(std::io::SeekFrom::Start(offset));
        let _ = file.read_to_end(&mut bytes);
        let length = offset + u64::try_from(bytes.len()).unwrap_or_default();
        (String::from_utf8_lossy(&bytes).into_owned(), length)
    }

    /// How long [`Self::log`] is, in bytes.
    pub fn log_length(&self) -> u64 {
        fs::metadata(self.log_path()).map_or(0, |metadata| metadata.len())
    }

    /// Forgets what was logged so far; only for callers that keep no offset into the log.
    pub fn empty_log(&self) {
        // It is only ever appended to, so the writer continues at the new end.
        let log = OpenOptions::new().write(true).open(self.log_path());
        log.and_then(|log| log.set_len(0)).expect("a log file");
    }

    /// Its audit log so far.
    pub fn audit_log(&self) -> String {
        read_lossy(&self.audit_path())
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&self) {
        if let Some(mut running) = self.running.lock().take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// Asks it to end and waits until it has; kills it after a minute.
    pub fn stop(&self) {
        let taken = self.running.lock().take();
        if let Some(mut running) = taken {
            Process(running.child.id()).terminate();
            let deadline = Instant::now() + STOP_LIMIT;
            while Instant::now() < deadline {
                if !matches!(running.child.try_wait(), Ok(None)) {
                    return;
                }
                // `Drop` calls this outside of any runtime, and a child's end can only be polled.
                #[allow(clippy::disallowed_methods)]
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// Starts it again with the same data and unseals it.
    pub async fn restart(&self) {
        assert_ne!(
            self.options.storage,
            Storage::Memory,
            "a server in memory has nothing to restart with"
        );
        self.kill();
        self.run();
        self.wait_for_listener().await;
        self.unseal().await;
    }

    /// Initializes it with one unseal key.
    pub(crate) async fn initialize(&mut self) {
        let body = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let answer = self.api().write("sys/init", body).await.ok();
        self.root_token = text(&answer["root_token"]);
        self.unseal_key = text(&answer["keys_base64"][0]);
    }

    /// Takes over the keys of the cluster's first node.
    pub(crate) fn adopt_keys(&mut self, first: &Server) {
        self.root_token.clone_from(&first.root_token);
        self.unseal_key.clone_from(&first.unseal_key);
    }

    /// Unseals it and waits until it serves requests, as active node or as standby.
    pub async fn unseal(&self) {
        let api = self.api();
        api.write("sys/unseal", json!({ "key": self.unseal_key }))
            .await
            .ok();
        wait_until("Vault is unsealed and serves", START_LIMIT, async || {
            match api.read("sys/health").await.status {
                200 => true,
                // A standby, now or, for a lone server, until it has elected itself.
                429 | 473 => self.in_cluster,
                _ => false,
            }
        })
        .await;
    }

    /// Whether it is the active node of its cluster.
    pub async fn is_active(&self) -> bool {
        self.api()
            .try_request(reqwest::Method::GET, "sys/health", None)
            .await
            .is_ok_and(|reply| reply.status == 200)
    }

    fn run(&self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let mut command = Command::new(&self.host.binary);
        command
            .args(["server", "-config"])
            .arg(self.home.path().join("vault.hcl"));
        if self.options.development {
            command
                .args(["-dev", "-dev-no-store-token", "-dev-root-token-id=root"])
                .arg(format!(
                    "-dev-listen-address=127.0.0.1:{}",
                    self.port.number()
                ))
                .arg(format!(
                    "-dev-plugin-dir={}",
                    self.plugin_directory().display()
                ))
                .arg(format!("-log-level={}", self.options.log_level));
        }
        let child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TMPDIR", self.temporary_directory())
            .envs(
                self.options
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            // Ctrl-C in the terminal is the guard's business, or plugins would see it too.
            .process_group(0)
            .spawn()
            .expect("vault to start");
        let guard = Guard::over(child.id(), self.home.path());
        *self.running.lock() = Some(Running {
            child,
            _guard: guard,
        });
    }

    async fn wait_for_listener(&self) {
        let api = self.api();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if api
                .try_request(reqwest::Method::GET, "sys/seal-status", None)
                .await
                .is_ok()
            {
                return;
            }
            let ended = {
                let mut running = self.running.lock();
                !running
                    .as_mut()
                    .is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
            };
            assert!(
                !ended && Instant::now() < deadline,
                "Vault did not start:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn configuration(&self) -> String {
        if self.options.development {
            return self.settings_of_some();
        }
        let (port, cluster_port) = (self.port.number(), self.cluster_port.number());
        let data = self.data_directory();
        let data = data.display();
        let storage = match self.options.storage {
            Storage::Memory => "storage \"inmem\" {}".to_owned(),
            Storage::Raft => {
                format!(
                    "storage \"raft\" {{\n  path = \"{data}\"\n  node_id = \"node-{port}\"\n  \
                     performance_multiplier = {}\n}}",
                    self.options.raft_multiplier
                )
            }
        };
        format!(
            "{storage}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \
             \"127.0.0.1:{cluster_port}\"\n  tls_disable = true\n}}\napi_addr = \
             \"http://127.0.0.1:{port}\"\ncluster_addr = \
             \"https://127.0.0.1:{cluster_port}\"\nplugin_directory = \"{}\"\nlog_level = \
             \"{}\"\nraw_storage_endpoint = {}\n{}{}",
            self.plugin_directory().display(),
            self.options.log_level,
            self.options.raw_storage,
            self.settings_of_some(),
            self.options.configuration,
        )
    }

    /// What some servers need and the others ignore with a warning: not to lock memory, and an audit device,
    /// which the others take from the API alone.
    fn settings_of_some(&self) -> String {
        let mut settings = "disable_mlock = true\n".to_owned();
        if self.options.audit {
            // Every node of a cluster must have the same device, so its path is relative.
            settings.push_str(&format!(
                "audit \"file\" \"file\" {{\n  options {{\n    file_path = \"{AUDIT_LOG}\"\n  \
                 }}\n}}\n"
            ));
        }
        settings
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("vault.log")
    }

    fn audit_path(&self) -> PathBuf {
        self.home.path().join(AUDIT_LOG)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_logs();
        }
        self.stop();
    }
}

impl Server {
    /// Saves the logs of a failed test where its owner can look at them.
    fn keep_logs(&self) {
        let Some(folder) = std::env::var_os("HARNESS_KEEP_LOGS").map(PathBuf::from) else {
            return;
        };
        let _ = fs::create_dir_all(&folder);
        for (name, file) in [("vault", self.log_path()), ("audit", self.audit_path())] {
            let _ = fs::copy(
                file,
                folder.join(format!("{name}-{}.log", self.port.number())),
            );
        }
    }
}

fn read_lossy(path: &Path) -> String {
    let Ok(mut file) = File::open(path) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut file, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text in Vault's answer").to_owned()
}
