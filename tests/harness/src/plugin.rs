//! The plugin binary under test, as Vault sees it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::Api;
use crate::Process;
use crate::Server;

/// Device, inode, time of the last change in nanoseconds, and length.
type FileId = (u64, u64, i64, u64);

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
            sha256: sha256_once(&path),
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
    let cannot_read = |error| panic!("cannot read {}: {error}", path.display());
    let bytes = fs::read(path).unwrap_or_else(cannot_read);
    Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// [`sha256`] of a file that many servers get. It is computed once: a busy machine takes seconds for it, in
/// which the connections of a test that does many things at once would stand still, and Vault closes one on
/// which no request comes for ten seconds.
fn sha256_once(path: &Path) -> String {
    static KNOWN: Mutex<BTreeMap<FileId, String>> = Mutex::new(BTreeMap::new());
    let cannot_read = |error| panic!("cannot read {}: {error}", path.display());
    let file = fs::metadata(path).unwrap_or_else(cannot_read);
    let id = (file.dev(), file.ino(), file.mtime_nsec(), file.len());
    let mut known = KNOWN.lock();
    known.entry(id).or_insert_with(|| sha256(path)).clone()
}
