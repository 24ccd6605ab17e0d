//! OpenBao's own way to install a plugin: the `plugin` stanza with a container image, from which the
//! server takes the binary (`docs/hosts.md`).

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use harness::Astra;
use harness::Host;
use harness::Options;
use harness::Plugin;
use harness::Registry;
use harness::Server;
use harness::TestMount;

use crate::setup::BINARY;
use crate::setup::VERSION;

/// The binary's name in the image.
const NAME: &str = "vault-plugin-secrets-astra";

/// Server options with a `plugin` stanza for the image of a registry.
fn options(image: &str, sha256: &str) -> Options {
    let stanza = format!(
        r#"
plugin_auto_download = true
plugin_auto_register = true
plugin_download_behavior = "fail"
plugin "secret" "astra" {{
  image = "{image}"
  version = "{VERSION}"
  binary_name = "{NAME}"
  sha256sum = "{sha256}"
}}
"#
    );
    Options {
        configuration: stanza,
        ..Options::default()
    }
}

#[tokio::test]
async fn the_plugin_is_installed_from_an_image_and_another_hash_is_refused() {
    if !Host::current().has_plugin_stanza() {
        println!("this host has no plugin stanza");
        return;
    }
    let registry = Registry::start().await;
    let image = registry.push(Path::new(BINARY), NAME, VERSION);
    let sha256 = harness::sha256(Path::new(BINARY));

    let server = Arc::new(Server::start(options(&image, &sha256)).await);
    let plugin = Plugin {
        name: "astra".to_owned(),
        version: VERSION.to_owned(),
        sha256: sha256.clone(),
        path: server
            .plugin_directory()
            .join(format!("secret-astra-{VERSION}")),
    };
    let mount = TestMount::enable(&server, plugin, Astra::start().await, "astra").await;
    mount.configure().await;
    let credential = mount.credential("reader").await;
    mount.revoke(&credential.lease_id).await;
    assert!(!mount.astra.accepts(&credential.token).await);
    let mounts = mount.api.read("sys/mounts/astra").await.data();
    assert_eq!(mounts["running_plugin_version"], VERSION);
    assert_eq!(mounts["running_sha256"], sha256);
    mount.finish().await;

    // The same image with the sum of another file.
    let start = Server::start(options(&image, &"0".repeat(64)));
    let refused = AssertUnwindSafe(start).catch_unwind().await;
    let refused = refused.err().expect("the server refuses to start");
    let message = refused.downcast::<String>().expect("a message");
    assert!(message.contains("plugin hash mismatch"), "{message}");
}
