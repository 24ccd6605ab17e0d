//! Mounts of the plugin under test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harness::Astra;
use harness::Options;
use harness::Plugin;
use harness::Server;
use harness::TestMount;
use tokio::sync::OnceCell;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-astra");
/// The version it reports.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// A configured mount on the server that tests share, in the plugin process that they share.
pub(crate) async fn mount(name: &str) -> TestMount {
    configured(&shared().await, Astra::start().await, "astra", name).await
}

/// The same with an Astra whose clock is behind, so that what it makes now is old once the clock is
/// set.
pub(crate) async fn mount_in_the_past(name: &str, by: Duration) -> TestMount {
    let astra = Astra::start_in_the_past(by).await;
    configured(&shared().await, astra, "astra", name).await
}

/// A configured mount on the server that tests share, in a plugin process of its own, which may be
/// killed.
pub(crate) async fn mount_with_own_process(name: &str) -> TestMount {
    let (server, plugin) = (shared().await, format!("astra-{name}"));
    install(&server, &plugin).register(&server.api()).await;
    configured(&server, Astra::start().await, &plugin, name).await
}

/// A configured mount on a server of its own.
pub(crate) async fn mount_with_own_server(name: &str, options: Options) -> TestMount {
    let server = Arc::new(Server::start(options).await);
    install(&server, "astra").register(&server.api()).await;
    configured(&server, Astra::start().await, "astra", name).await
}

/// The server that tests share, with the plugin registered as `astra`.
pub(crate) async fn shared() -> Arc<Server> {
    static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
    let server = SHARED
        .get_or_init(|| async {
            let server = Server::start(Options::default()).await;
            install(&server, "astra").register(&server.api()).await;
            Arc::new(server)
        })
        .await;
    Arc::clone(server)
}

/// Puts the binary into the plugin directory of `server` as `name`.
pub(crate) fn install(server: &Server, name: &str) -> Plugin {
    Plugin::install(server, Path::new(BINARY), name, VERSION)
}

async fn configured(server: &Arc<Server>, astra: Astra, plugin: &str, name: &str) -> TestMount {
    let mount = TestMount::enable(server, install(server, plugin), astra, name).await;
    mount.configure().await;
    mount
}
