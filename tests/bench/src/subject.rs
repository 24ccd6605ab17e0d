//! The engines that are compared.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use harness::Plugin;
use harness::Process;
use harness::Server;
use serde_json::Value;
use serde_json::json;

use crate::emulator::Emulator;
use crate::load::Shot;
use crate::plan::CLIENTS;

/// An Astra role that every organization has, by its id.
pub(crate) const READ_ONLY: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// This repository's engine.
    Astra(PathBuf),
    /// The archived engine in Go, in its caller mode `sidecar`, where each read mints.
    Peer(PathBuf),
    /// Vault's own one-time passwords: the least that a leased secret costs.
    Ssh,
}

/// A subject that is mounted and ready.
pub(crate) struct Mounted {
    pub(crate) shot: Shot,
    /// What its leases begin with.
    pub(crate) prefix: &'static str,
    /// How long `secrets enable` took.
    pub(crate) enable: Duration,
    /// The plugin's process, unless the engine is part of Vault.
    pub(crate) plugin: Option<Process>,
    installed: Option<Plugin>,
}

impl Mounted {
    /// The process as it is now: a plugin may have been started again.
    pub(crate) fn process_now(&self, server: &Server) -> Option<Process> {
        self.installed
            .as_ref()
            .and_then(|plugin| plugin.processes(server).first().copied())
    }
}

impl Subject {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Astra(_) => "astra",
            Self::Peer(_) => "peer",
            Self::Ssh => "ssh",
        }
    }

    /// The size of the program in bytes.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Astra(file) | Self::Peer(file) => {
                std::fs::metadata(file).ok().map(|data| data.len())
            }
            Self::Ssh => None,
        }
    }

    /// Mounts it on `server` and configures it for the organization in `emulator`.
    pub(crate) async fn mount(&self, server: &Server, emulator: &Emulator) -> Mounted {
        let api = server.api();
        let write = async |path: &str, body: Value| api.write(path, body).await.ok();
        let shot = |method, path: &str, body: Option<Value>| Shot {
            address: server.address(),
            token: server.root_token().to_owned(),
            method,
            path: format!("/v1/{path}"),
            body: body.map(|body| body.to_string()),
        };
        match self {
            Self::Astra(binary) => {
                let version = version_of(binary);
                let (plugin, enable) = enable(server, binary, "astra", &version).await;
                // As many requests as there are clients: the upstream is not to be the limit. More would
                // only cost memory, 28 kB a connection, when Vault revokes 200 leases at once.
                let most = CLIENTS.into_iter().max();
                let config = json!({
                    "token": emulator.root_token, "url": emulator.url,
                    "max_concurrent_requests": most,
                });
                write("astra/config", config).await;
                write(
                    "astra/roles/reader",
                    json!({ "astra_roles": READ_ONLY, "ttl": "12h", "max_ttl": "24h" }),
                )
                .await;
                mounted(
                    shot("GET", "astra/creds/reader", None),
                    "astra/",
                    enable,
                    Some(plugin),
                    server,
                )
            }
            Self::Peer(binary) => {
                let (plugin, enable) = enable(server, binary, "peer", "").await;
                let org = &emulator.org;
                let config = json!({
                    "org_id": org, "astra_token": emulator.root_token, "url": emulator.url,
                    "logical_name": "bench", "caller_mode": "sidecar",
                });
                write("peer/config", config).await;
                let role = json!({
                    "role_name": "reader", "role_id": READ_ONLY, "org_id": org, "ttl": "12h",
                    "max_ttl": "24h",
                });
                write("peer/role", role).await;
                let path = format!("peer/org/token?org_id={org}&role_name=reader");
                mounted(
                    shot("GET", &path, None),
                    "peer/",
                    enable,
                    Some(plugin),
                    server,
                )
            }
            Self::Ssh => {
                let begin = Instant::now();
                write("sys/mounts/ssh", json!({ "type": "ssh" })).await;
                let enable = begin.elapsed();
                let role =
                    json!({ "key_type": "otp", "default_user": "u", "cidr_list": "127.0.0.0/8" });
                write("ssh/roles/otp", role).await;
                let body = json!({ "ip": "127.0.0.1" });
                mounted(
                    shot("PUT", "ssh/creds/otp", Some(body)),
                    "ssh/",
                    enable,
                    None,
                    server,
                )
            }
        }
    }
}

fn mounted(
    shot: Shot,
    prefix: &'static str,
    enable: Duration,
    installed: Option<Plugin>,
    server: &Server,
) -> Mounted {
    let plugin = installed.as_ref().map(|plugin| plugin.process(server));
    Mounted {
        shot,
        prefix,
        enable,
        plugin,
        installed,
    }
}

/// Installs, registers and mounts a plugin; how long the last took.
pub(crate) async fn enable(
    server: &Server,
    binary: &Path,
    name: &str,
    version: &str,
) -> (Plugin, Duration) {
    let api = server.api();
    let plugin = Plugin::install(server, binary, name, version);
    plugin.register(&api).await;
    let begin = Instant::now();
    plugin.enable(&api, name, json!({})).await;
    (plugin, begin.elapsed())
}

/// The version that the plugin reports when it is started by hand.
pub(crate) fn version_of(binary: &Path) -> String {
    let output = std::process::Command::new(binary)
        .arg("--version")
        .output()
        .expect("the plugin to start");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .last()
        .expect("a version")
        .to_owned()
}
