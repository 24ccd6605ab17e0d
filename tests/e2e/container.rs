//! Container plugins of Vault (`docs/containers.md`): in Docker where `scripts/container` gives one, else
//! with a program in Docker's place.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use harness::Astra;
use harness::Docker;
use harness::IMAGE;
use harness::Options;
use harness::Plugin;
use harness::SOON;
use harness::Server;
use harness::Storage;
use harness::TestMount;
use harness::wait_until;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;

use crate::setup::BINARY;
use crate::setup::VERSION;

/// A real engine is shared, and these tests count its containers.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Containers {
    docker: Docker,
    server: Arc<Server>,
    _alone: MutexGuard<'static, ()>,
}

impl Containers {
    /// A server with the plugin's image registered as `astra`; `None` where servers run no containers.
    async fn start(storage: Storage) -> Option<Self> {
        let alone = ALONE.lock().await;
        let docker = Docker::start(Path::new(BINARY), VERSION);
        let options = Options {
            storage,
            environment: vec![docker.variable()],
            ..Options::default()
        };
        let server = Arc::new(Server::start(options).await);
        if !server.has_container_plugins().await {
            println!("this host runs no containers");
            return None;
        }
        docker.register_runtime(&server.api()).await;
        docker
            .register(&server.cli(), IMAGE, &docker.image_id(), VERSION, "astra")
            .await
            .ok();
        Some(Self {
            docker,
            server,
            _alone: alone,
        })
    }

    async fn mount(&self, name: &str) -> TestMount {
        let plugin = Plugin {
            name: "astra".to_owned(),
            version: VERSION.to_owned(),
            sha256: self.docker.image_id(),
            path: Path::new("/nonexistent").to_owned(),
        };
        let mount = TestMount::enable(&self.server, plugin, Astra::start().await, name).await;
        mount.configure().await;
        mount
    }

    async fn reload(&self) {
        let body = json!({ "plugin": "astra" });
        let api = self.server.api();
        api.write("sys/plugins/reload/backend", body).await.ok();
    }

    async fn until_running(&self, count: usize) {
        wait_until(&format!("{count} containers run"), SOON, async || {
            self.docker.running().len() == count
        })
        .await;
    }
}

#[tokio::test]
async fn each_mount_lives_in_a_container_of_its_own() {
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let (one, two) = (containers.mount("one").await, containers.mount("two").await);
    let running = containers.docker.running();
    assert_eq!(running.len(), 2);
    for id in &running {
        let config = containers.docker.host_config(id);
        assert_eq!(config["CapDrop"], json!(["ALL"]), "{config}");
        assert_eq!(config["Mounts"].as_array().map(Vec::len), Some(1));
        assert_eq!(config["AutoRemove"], true);
    }

    for mount in [&one, &two] {
        let credential = mount.credential("reader").await;
        let renewal = json!({ "lease_id": credential.lease_id });
        mount.api.write("sys/leases/renew", renewal).await.ok();
        mount.revoke(&credential.lease_id).await;
        assert!(!mount.astra.accepts(&credential.token).await);
        mount.credential("reader").await;
    }
    containers.reload().await;
    one.credential("reader").await;
    two.credential("reader").await;
    containers.until_running(2).await;
    one.finish().await;
    two.credential("reader").await;
    two.finish().await;
    containers.until_running(0).await;
}

#[tokio::test]
async fn large_values_and_many_requests_pass_through_one_socket() {
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let mounts = [
        containers.mount("many-a").await,
        containers.mount("many-b").await,
    ];
    // More than the 256 KiB with which a stream begins, in both directions.
    let description = "x".repeat(700 * 1_024);
    for mount in &mounts {
        let role = json!({ "astra_roles": harness::READ_ONLY, "description": description });
        mount.write("roles/large", role).await.ok();
    }
    containers.reload().await;
    for mount in &mounts {
        assert!(mount.data("roles/large").await["description"] == description);
        let answers = join_all((0..40).map(|_| mount.read("creds/reader"))).await;
        for answer in answers {
            mount.hold(&answer.ok());
        }
    }
    for mount in mounts {
        mount.finish().await;
    }
}

#[tokio::test]
async fn a_killed_container_is_replaced() {
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let mount = containers.mount("replaced").await;
    let before = mount.credential("reader").await;
    for id in containers.docker.running() {
        containers.docker.kill(&id);
    }
    containers.until_running(0).await;
    wait_until("a read succeeds again", SOON, async || {
        let reply = mount.read("creds/reader").await;
        reply.is_ok() && !mount.hold(&reply.ok()).token.is_empty()
    })
    .await;
    containers.until_running(1).await;
    mount.revoke(&before.lease_id).await;
    mount.finish().await;
}

#[tokio::test]
async fn containers_end_with_a_killed_vault_and_come_back() {
    let Some(containers) = Containers::start(Storage::Raft).await else {
        return;
    };
    let mount = containers.mount("orphaned").await;
    let kept = mount.credential("reader").await;
    containers.server.kill();
    containers.until_running(0).await;
    assert!(mount.astra.accepts(&kept.token).await);

    containers.server.restart().await;
    mount.until_reconciled(SOON).await;
    mount.credential("reader").await;
    mount.revoke(&kept.lease_id).await;
    mount.finish().await;

    let mount = containers.mount("stopped").await;
    mount.credential("reader").await;
    containers.server.stop();
    containers.until_running(0).await;
}

/// A host takes streams in the order of their coming, no matter who they were opened for, so mounts that shared
/// a container would see each other's storage (docs/internals/protocol.md, "Containers").
#[tokio::test]
async fn mounts_that_start_at_once_never_see_each_other() {
    const MOUNTS: usize = 12;
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let api = containers.server.api();
    let names: Vec<String> = (0..MOUNTS).map(|number| format!("m{number}")).collect();
    let astra = Astra::start().await;
    for name in &names {
        let body = json!({ "type": "astra" });
        api.write(&format!("sys/mounts/{name}"), body).await.ok();
        let config = json!({ "token": astra.root_token(), "url": astra.url(), "verify": false });
        api.write(&format!("{name}/config"), config).await.ok();
        let role = json!({ "astra_roles": harness::READ_ONLY });
        api.write(&format!("{name}/roles/of-{name}"), role)
            .await
            .ok();
    }
    for _ in 0..10 {
        containers.reload().await;
        let api = &api;
        let lists = names.iter().map(|name| async move {
            let path = format!("{name}/roles");
            api.list(&path).await
        });
        for (name, list) in names.iter().zip(join_all(lists).await) {
            assert_eq!(list.keys(), [format!("of-{name}")]);
        }
        containers.until_running(MOUNTS).await;
    }
}

#[tokio::test]
async fn a_wrong_digest_and_a_wrong_version_are_refused_at_registration() {
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let (docker, cli) = (&containers.docker, containers.server.cli());
    let refused = docker
        .register(&cli, IMAGE, &"0".repeat(64), VERSION, "other")
        .await
        .refused();
    assert!(refused.contains("SHA256 mismatch"), "{refused}");
    let id = docker.image_id();
    let refused = docker
        .register(&cli, IMAGE, &id, "v9.9.9", "other")
        .await
        .refused();
    // A real engine has no image of that tag; where it does not ask, the plugin says its own version.
    assert!(
        refused.contains("SHA256 mismatch") || refused.contains("v9.9.9"),
        "{refused}"
    );
    containers.until_running(0).await;
}

/// Where Vault is of root's group, it does not add its group to the container's, so an image whose user has a
/// group of its own cannot write the folder that they share.
#[tokio::test]
async fn an_image_with_a_group_is_refused_with_the_remedy() {
    let Some(containers) = Containers::start(Storage::Memory).await else {
        return;
    };
    let (docker, cli) = (&containers.docker, containers.server.cli());
    if !docker.is_real() || nix::unistd::getegid().as_raw() != 0 {
        println!("only a real engine has users and groups");
        return;
    }
    docker.with_user("grouped", "65532:65532");
    let id = docker.id_of("grouped");
    let refused = docker
        .register(&cli, "grouped", &id, VERSION, "grouped")
        .await
        .refused();
    for part in [
        "Unrecognized remote plugin message",
        "the socket cannot be made in /tmp/go-plugin-container: Permission denied",
        "USER 65532 and no group",
    ] {
        assert!(refused.contains(part), "{part} is not in: {refused}");
    }
}
