//! The binaries under test.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The plugin as it is.
pub(crate) const PLAIN: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The version that both report.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The plugin that dies on demand (`src/engine/crash.rs`), built once, with a target directory of
/// its own, because the feature must not leak into any other build.
pub(crate) fn with_crash_points() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/failpoints");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--features", "failpoints"])
            .args(["--bin", "vault-plugin-secrets-astra", "--target-dir"])
            .arg(&target)
            .current_dir(root)
            .status()
            .expect("cargo to run");
        assert!(status.success(), "the plugin with crash points builds");
        target.join("debug/vault-plugin-secrets-astra")
    })
}
