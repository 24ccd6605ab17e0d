//! Where containers run: in Docker, or in what stands for it.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::Api;
use crate::Cli;
use crate::Output;
use crate::fake_docker::FakeDocker;

/// `DOCKER_HOST` of a real engine that has the image [`IMAGE`], with a runtime that lets containers reach
/// servers on this machine; `scripts/container` sets both.
const ENGINE: &str = "CONTAINER_ENGINE";
const RUNTIME: &str = "CONTAINER_RUNTIME";

/// The image's name, as the release has it.
pub const IMAGE: &str = "vault-plugin-secrets-astra";

/// A container engine with one image of the plugin.
pub struct Docker {
    kind: Kind,
    tag: String,
}

enum Kind {
    Fake(FakeDocker),
    Real { address: String, runtime: String },
}

impl Docker {
    /// The engine that the environment names, or else one that runs `binary` as a process.
    pub fn start(binary: &Path, version: &str) -> Self {
        let tag = version.trim_start_matches('v').to_owned();
        let kind = match std::env::var(ENGINE) {
            Ok(address) => Kind::Real {
                address,
                runtime: std::env::var(RUNTIME).unwrap_or_else(|_| "runc".to_owned()),
            },
            Err(_) => {
                let image = format!("{IMAGE}:{tag}");
                Kind::Fake(FakeDocker::start(&image, binary.to_owned()))
            }
        };
        Self { kind, tag }
    }

    /// Whether it is a real one.
    pub fn is_real(&self) -> bool {
        matches!(self.kind, Kind::Real { .. })
    }

    /// What a server needs in its environment to find it.
    pub fn variable(&self) -> (String, String) {
        let address = match &self.kind {
            Kind::Fake(fake) => fake.address(),
            Kind::Real { address, .. } => address.clone(),
        };
        ("DOCKER_HOST".to_owned(), address)
    }

    /// The image's id, without its `sha256:`.
    pub fn image_id(&self) -> String {
        match &self.kind {
            Kind::Fake(fake) => fake.image_id(),
            Kind::Real { .. } => self.id_of(IMAGE),
        }
    }

    /// The id of another image of a real engine.
    pub fn id_of(&self, name: &str) -> String {
        let image = format!("{name}:{}", self.tag);
        let id = self.docker(&["images", "--no-trunc", "--quiet", &image]);
        id.trim_start_matches("sha256:").to_owned()
    }

    /// Makes an image called `name` that is the plugin's with another user, on a real engine only.
    pub fn with_user(&self, name: &str, user: &str) {
        assert!(self.is_real(), "images are of a real engine");
        let image = format!("{IMAGE}:{}", self.tag);
        let container = self.docker(&["create", &image]);
        let change = format!("USER {user}");
        let tagged = format!("{name}:{}", self.tag);
        self.docker(&["commit", "--change", &change, &container, &tagged]);
        self.docker(&["rm", &container]);
    }

    /// The name under which the engine's runtime is registered in a server.
    pub const RUNTIME: &str = "containers";

    /// Registers the engine's runtime in a server that has container plugins.
    pub async fn register_runtime(&self, api: &Api) {
        let runtime = match &self.kind {
            Kind::Fake(_) => "fake",
            Kind::Real { runtime, .. } => runtime,
        };
        api.write(
            &format!("sys/plugins/runtimes/catalog/container/{}", Self::RUNTIME),
            json!({ "oci_runtime": runtime }),
        )
        .await
        .ok();
    }

    /// Registers an image as the plugin `name` with the `vault` program, as a user does.
    pub async fn register(
        &self,
        cli: &Cli,
        image: &str,
        id: &str,
        version: &str,
        name: &str,
    ) -> Output {
        cli.run(&[
            "plugin",
            "register",
            &format!("-oci_image={image}"),
            &format!("-sha256={id}"),
            &format!("-version={version}"),
            &format!("-runtime={}", Self::RUNTIME),
            "secret",
            name,
        ])
        .await
    }

    /// The ids of the containers that run.
    pub fn running(&self) -> Vec<String> {
        match &self.kind {
            Kind::Fake(fake) => fake.running(),
            Kind::Real { .. } => {
                let ids = self.docker(&["ps", "--no-trunc", "--quiet"]);
                ids.lines().map(str::to_owned).collect()
            }
        }
    }

    /// Kills a container as `kill -9` does.
    pub fn kill(&self, id: &str) {
        match &self.kind {
            Kind::Fake(fake) => fake.kill(id),
            Kind::Real { .. } => {
                self.docker(&["kill", id]);
            }
        }
    }

    /// The `HostConfig` of a container that runs.
    pub fn host_config(&self, id: &str) -> Value {
        match &self.kind {
            Kind::Fake(fake) => fake.created(id)["HostConfig"].clone(),
            Kind::Real { .. } => {
                let config = self.docker(&["inspect", "--format", "{{json .HostConfig}}", id]);
                serde_json::from_str(&config).expect("JSON")
            }
        }
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let (name, address) = self.variable();
        let output = Command::new("docker")
            .args(arguments)
            .env(name, address)
            .stdin(Stdio::null())
            .output()
            .expect("docker to run");
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
