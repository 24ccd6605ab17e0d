//! The plugin binary under test, as Vault sees it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::Api;
use crate::Process;
use crate::Server;

/// A plugin binary in a server's plugin directory.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name in the catalog, which is also its file name, so that its process can be told
    /// from others.
    pub name: String,
    /// The version to register.
    pub version: String,
    /// The hash of the file in hex.
    pub sha256: String,
    /// Where the file is.
    pub path: PathBuf,
}

impl Plugin {
    /// Puts `binary` into the plugin directory of `server` as `name`.
    pub fn install(server: &Server, binary: &Path, name: &str, version: &str) -> Self {
        let path = server.plugin_directory().join(name);
        if !path.exists() {
            let _ = fs::hard_link(binary, &path)
                .or_else(|_| fs::copy(binary, &path).map(drop))
                .map_err(|error| panic!("cannot install {}: {error}", binary.display()));
        }
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: sha256(&path),
            path,
        }
    }

    /// Registers it in the catalog with hash and version.
    pub async fn register(&self, api: &Api) {
        let body = json!({ "sha256": self.sha256, "version": self.version, "command": self.name });
        api.write(&format!("sys/plugins/catalog/secret/{}", self.name), body)
            .await
            .ok();
    }

    /// Registers it with more variables for its environment, each `NAME=value`.
    pub async fn register_with(&self, api: &Api, environment: &[String]) {
        let body = json!({
            "sha256": self.sha256, "version": self.version, "command": self.name,
            "env": environment,
        });
        api.write(&format!("sys/plugins/catalog/secret/{}", self.name), body)
            .await
            .ok();
    }

    /// Mounts it at `path`, without a slash, with further mount settings in `settings`.
    pub async fn enable(&self, api: &Api, path: &str, settings: Value) {
        let mut body = settings;
        body["type"] = json!(self.name);
        api.write(&format!("sys/mounts/{path}"), body).await.ok();
    }

    /// The processes that `server` runs from this file.
    pub fn processes(&self, server: &Server) -> Vec<Process> {
        let path = self.path.to_string_lossy();
        server
            .process()
            .children()
            .into_iter()
            .filter(|child| {
                child
                    .command()
                    .first()
                    .is_some_and(|program| *program == path)
            })
            .collect()
    }

    /// The one process that `server` runs from this file; panics if there is not exactly one. A server
    /// starts it with the first request after its end, or with its next tick.
    #[track_caller]
    pub fn process(&self, server: &Server) -> Process {
        let found = self.processes(server);
        assert_eq!(
            found.len(),
            1,
            "{} should have one process, has {found:?}",
            self.name
        );
        found[0]
    }
}

/// The SHA-256 of a file in hex.
pub fn sha256(path: &Path) -> String {
    let bytes =
        fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
