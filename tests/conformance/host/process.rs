//! The plugin's process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::process::Command;

use super::Identity;
use super::LONG;
use super::Output;
use super::eventually;

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The magic cookie of secrets and auth engines.
const COOKIE: &str = "6669da05-b1c8-4f49-97d9-c8e5bed98e20";

/// A start of the plugin, with the environment that Vault 1.21 gives it.
pub(crate) struct Launch {
    environment: BTreeMap<OsString, OsString>,
    identity: Identity,
    temporary: TempDir,
}

/// A started plugin, killed when dropped.
pub(crate) struct Process {
    pub stdout: Output,
    pub stderr: Output,
    child: Child,
    pid: Pid,
    identity: Identity,
    temporary: TempDir,
}

/// The parts of the line by which a plugin says where it listens.
pub(crate) struct Handshake {
    pub fields: Vec<String>,
}

impl Launch {
    pub(crate) fn new() -> Self {
        let identity = Identity::new();
        let launch = Self {
            environment: BTreeMap::new(),
            identity: identity.clone(),
            temporary: tempfile::tempdir().unwrap(),
        };
        let temporary = launch.temporary.path().to_owned();
        launch
            .with("PATH", std::env::var_os("PATH").unwrap_or_default())
            .with("TMPDIR", temporary)
            .with("VAULT_BACKEND_PLUGIN", COOKIE)
            .with("PLUGIN_MIN_PORT", "10000")
            .with("PLUGIN_MAX_PORT", "25000")
            .with("PLUGIN_PROTOCOL_VERSIONS", "5")
            .with("PLUGIN_CLIENT_CERT", identity.pem())
            .with("VAULT_VERSION", "1.21.0")
            .with("VAULT_PLUGIN_METADATA_MODE", "false")
            .with("VAULT_PLUGIN_AUTOMTLS_ENABLED", "true")
    }

    /// A start in a container: the environment is that of `docs/containers.md`, nothing is inherited, and
    /// the socket has its place and group.
    pub(crate) fn container() -> Self {
        let mut launch = Self::new();
        let shared = launch.temporary.path().to_owned();
        std::fs::set_permissions(&shared, Permissions::from_mode(0o770)).unwrap();
        launch.environment.remove(std::ffi::OsStr::new("TMPDIR"));
        launch
            .with("PATH", "/")
            .with("HOSTNAME", "0123456789ab")
            .with("HOME", "/")
            .with("PLUGIN_MULTIPLEX_GRPC", "true")
            .with("PLUGIN_UNIX_SOCKET_DIR", shared)
            .with(
                "PLUGIN_UNIX_SOCKET_GROUP",
                nix::unistd::getegid().to_string(),
            )
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(std::ffi::OsStr::new(name));
        self
    }

    /// A directory that goes away with the process.
    pub(crate) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    pub(crate) fn spawn(self) -> Process {
        self.spawn_command(Command::new(BINARY))
    }

    /// Starts the plugin as the child of a shell, which stands for a host that can be killed; the
    /// plugin's process id is written to the file `pid` in the temporary directory.
    pub(crate) fn spawn_in_shell(self) -> Process {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg("\"$0\" & echo $! > \"$TMPDIR/pid\"; wait")
            .arg(BINARY);
        self.spawn_command(shell)
    }

    /// Starts the plugin as another user, without any group of ours; only root can.
    pub(crate) fn spawn_as(self, user: u32) -> Process {
        let mut command = Command::new(BINARY);
        // The standard library gives up all other groups together with root's id.
        command.uid(user).gid(user);
        self.spawn_command(command)
    }

    fn spawn_command(self, mut command: Command) -> Process {
        let mut child = command
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process {
            stdout: Output::new(child.stdout.take().unwrap()),
            stderr: Output::new(child.stderr.take().unwrap()),
            pid: Pid::from_raw(child.id().unwrap().try_into().unwrap()),
            child,
            identity: self.identity,
            temporary: self.temporary,
        }
    }
}

impl Process {
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    pub(crate) fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the process to end.
    pub(crate) async fn exit(&mut self, within: Duration) -> ExitStatus {
        tokio::time::timeout(within, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("still running after {within:?}: {}", self.stderr.text()))
            .unwrap()
    }

    /// Waits for the process to end without having offered anything, and tells what it said: on stderr,
    /// and the same in one line on stdout, which a host shows to the operator.
    pub(crate) async fn refusal(&mut self) -> String {
        let said = self.complaint().await;
        let lines = self.stdout.lines();
        let [line] = &lines[..] else {
            panic!("not one line on stdout: {lines:?}");
        };
        assert!(!line.contains('|'), "a host would cut it: {line}");
        assert!(said.contains(line), "stderr says something else: {said}");
        line.clone()
    }

    /// Waits for the process to end without having offered anything or said anything on stdout, as it does
    /// when no host has started it.
    pub(crate) async fn explanation(&mut self) -> String {
        let said = self.complaint().await;
        assert_eq!(self.stdout.lines(), Vec::<String>::new(), "stdout");
        said
    }

    /// Waits for the process to fail, and tells what it wrote to stderr.
    async fn complaint(&mut self) -> String {
        let status = self.exit(LONG).await;
        assert!(!status.success(), "exit status {status}");
        self.stdout.end().await;
        self.stderr.end().await;
        let said = self.stderr.text();
        assert!(!said.trim().is_empty(), "no message on stderr");
        assert!(!said.contains("panic"), "{said}");
        said
    }

    /// Waits for the handshake line.
    pub(crate) async fn handshake(&self) -> Handshake {
        match self.stdout.first_line().await {
            Some(line) => Handshake {
                fields: line.split('|').map(str::to_owned).collect(),
            },
            None => panic!("no handshake line; stderr: {}", self.stderr.text()),
        }
    }

    /// The sockets that the process left or keeps below its temporary directory.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        sockets_below(self.temporary.path())
    }

    /// How many files, sockets and pipes the process has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid))
            .unwrap()
            .count()
    }

    /// What the kernel limits the process to.
    pub(crate) fn limits(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/limits", self.pid)).unwrap()
    }

    /// How many threads the process has.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid))
            .unwrap()
            .count()
    }
}

impl Handshake {
    pub(crate) fn socket(&self) -> PathBuf {
        PathBuf::from(&self.fields[3])
    }

    /// Whether the plugin wants all connections in one session.
    pub(crate) fn one_socket(&self) -> bool {
        match &self.fields[6..] {
            [] => false,
            [field] => {
                assert_eq!(field, "true");
                true
            }
            more => panic!("{more:?}"),
        }
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let der = BASE64_STANDARD_NO_PAD.decode(&self.fields[5]).unwrap();
        CertificateDer::from(der)
    }
}

/// Whether a process that is not our child exists.
pub(crate) fn exists(pid: Pid) -> bool {
    // A zombie counts as gone.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = state.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with('Z')
}

/// Waits until the process `pid` is gone.
pub(crate) async fn gone(pid: Pid, within: Duration) {
    eventually("the process to be gone", within, || !exists(pid)).await;
}

fn sockets_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(sockets_below(&entry.path()));
        } else if kind.is_socket() {
            found.push(entry.path());
        }
    }
    found
}
