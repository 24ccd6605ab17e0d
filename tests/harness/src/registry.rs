//! A container registry on this machine, with an image of a plugin in it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::Port;
use crate::guard::Guard;
use crate::server::START_LIMIT;
use crate::wait_until;

/// A running registry. It ends when it is dropped, and also when this process dies.
pub struct Registry {
    crane: PathBuf,
    port: Port,
    child: Child,
    folder: TempDir,
    _guard: Guard,
}

impl Registry {
    /// Starts an empty registry.
    pub async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/crane");
        let crane = PathBuf::from(output(&mut Command::new(script)));
        let folder = tempfile::tempdir().expect("a temporary directory");
        let port = Port::reserve();
        let child = Command::new(&crane)
            .args(["registry", "serve", "--address"])
            .arg(format!("127.0.0.1:{}", port.number()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("crane to start");
        let guard = Guard::over(child.id(), folder.path());
        wait_until("the registry listens", START_LIMIT, async || {
            TcpStream::connect(("127.0.0.1", port.number()))
                .await
                .is_ok()
        })
        .await;
        Self {
            crane,
            port,
            child,
            folder,
            _guard: guard,
        }
    }

    /// Puts an image into the registry that holds `binary` alone, at its root, and returns the image's
    /// name without the tag.
    pub fn push(&self, binary: &Path, name: &str, tag: &str) -> String {
        let image = format!("127.0.0.1:{}/{name}", self.port.number());
        let tagged = format!("{image}:{tag}");
        let root = self.folder.path().join("root");
        fs::create_dir(&root).expect("a directory for the image");
        fs::copy(binary, root.join(name)).expect("a binary to copy");
        let layer = self.folder.path().join("layer.tar");
        output(
            Command::new("tar")
                .arg("-cf")
                .arg(&layer)
                .arg("-C")
                .args([&root])
                .arg(name),
        );
        output(
            Command::new(&self.crane)
                .args(["append", "--new_tag", &tagged, "--new_layer"])
                .arg(&layer),
        );
        let entrypoint = format!("/{name}");
        output(Command::new(&self.crane).args([
            "mutate",
            &tagged,
            "--tag",
            &tagged,
            "--entrypoint",
            &entrypoint,
        ]));
        image
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `command` prints on standard output; panics when it fails.
fn output(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
