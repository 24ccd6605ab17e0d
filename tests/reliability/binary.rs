//! The binaries under test.

use std::path::Path;
use std::path::PathBuf;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// The plugin as it is.
pub(crate) const PLAIN: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The version that both report.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The plugin that dies on demand (`src/engine/failpoint.rs`), built once.  It is a program of its own, so
/// that the feature does not get into the plain plugin, beside which it is built.
pub(crate) async fn with_failpoints() -> &'static Path {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let binary = Path::new(PLAIN)
            .with_file_name("examples")
            .join("failpoint-plugin");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked"])
            .args(["--features", "failpoints", "--example", "failpoint-plugin"])
            .current_dir(root)
            .status()
            .await
            .expect("cargo to run");
        assert!(status.success(), "the plugin with failpoints builds");
        binary
    };
    BINARY.get_or_init(build).await
}
