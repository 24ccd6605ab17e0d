//! The binaries under test.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The plugin as it is.
pub(crate) const PLAIN: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The version that both report.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The plugin that dies on demand (`src/engine/crash.rs`), built once.  It is a program of its own, so
/// that the feature does not get into the plain plugin, beside which it is built.
pub(crate) fn with_crash_points() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let binary = Path::new(PLAIN).with_file_name("mortal-plugin");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked"])
            .args(["--features", "failpoints", "--bin", "mortal-plugin"])
            // With a test beside it libraries get the features that tests have, so that none is
            // compiled once more.
            .args(["--test", "layers"])
            .current_dir(root)
            .status()
            .expect("cargo to run");
        assert!(status.success(), "the plugin with crash points builds");
        binary
    })
}
