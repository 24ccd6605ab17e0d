//! Where containers run: in Docker, or in what stands for it.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::Api;
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
            Kind::Real { .. } => {
                let image = format!("{IMAGE}:{}", self.tag);
                let id = self.docker(&["images", "--no-trunc", "--quiet", &image]);
                id.trim_start_matches("sha256:").to_owned()
            }
        }
    }

    /// Registers the engine's runtime in a server. `false`: the server has no container plugins.
    pub async fn register_runtime(&self, api: &Api) -> bool {
        let runtime = match &self.kind {
            Kind::Fake(_) => "fake",
            Kind::Real { runtime, .. } => runtime,
        };
        let reply = api
            .write(
                "sys/plugins/runtimes/catalog/container/containers",
                json!({ "oci_runtime": runtime }),
            )
            .await;
        let supported = !reply.is_unsupported();
        if supported {
            reply.ok();
        }
        supported
    }

    /// Registers the image as the plugin `name`, and tells what the server said.
    pub async fn register(&self, api: &Api, name: &str, version: &str) -> crate::Reply {
        self.register_as(api, name, version, &self.image_id()).await
    }

    /// The same with another image id.
    pub async fn register_as(
        &self,
        api: &Api,
        name: &str,
        version: &str,
        id: &str,
    ) -> crate::Reply {
        let body = json!({
            "oci_image": IMAGE, "sha256": id, "version": version, "runtime": "containers",
        });
        api.write(&format!("sys/plugins/catalog/secret/{name}"), body)
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
