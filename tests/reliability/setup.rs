//! Mounts of the plugin under test, each in a plugin process of its own.

use std::path::Path;
use std::sync::Arc;

use harness::Astra;
use harness::Failpoints;
use harness::Options;
use harness::Plugin;
use harness::Server;
use harness::Storage;
use harness::TestMount;

use crate::binary;

/// A server whose storage can be looked into.
pub(crate) async fn server(storage: Storage) -> Arc<Server> {
    let options = Options {
        storage,
        raw_storage: true,
        audit: false,
        log_level: "debug",
        ..Options::default()
    };
    Arc::new(Server::start(options).await)
}

/// A configured mount in a process of its own on `server`.
pub(crate) async fn mount(server: &Arc<Server>, binary: &Path, name: &str) -> TestMount {
    let mount = bare_mount(Astra::start().await, server, binary, name).await;
    mount.configure().await;
    mount
}

/// A mount without a config, in a process of its own, with `astra` for it.
pub(crate) async fn bare_mount(
    astra: Astra,
    server: &Arc<Server>,
    binary: &Path,
    name: &str,
) -> TestMount {
    let name = format!("astra-{}", name.replace('.', "-"));
    let plugin = Plugin::install(server, binary, &name, binary::VERSION);
    let variable = Failpoints::new(server, &name).variable();
    plugin.register_with(&server.api(), &[variable]).await;
    TestMount::enable(server, plugin, astra, &name).await
}

/// A configured mount of the plain plugin on a server of its own.
pub(crate) async fn mount_with_own_server(name: &str, storage: Storage) -> TestMount {
    let server = server(storage).await;
    mount(&server, Path::new(binary::PLAIN), name).await
}
