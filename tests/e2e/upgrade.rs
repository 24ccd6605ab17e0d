//! The commands of `docs/upgrade.md`, in the order of the page.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::Options;
use tokio::process::Command;

use crate::setup;
use crate::setup::BINARY;
use crate::setup::VERSION;
use harness::TestMount;

const PAGE: &str = include_str!("../../docs/upgrade.md");

/// Makes the binary as it would be of another version.
async fn another_version(to: &Path) -> String {
    let mut version = VERSION.to_owned();
    let last = version.pop().unwrap();
    version.push(if last == '9' { '8' } else { '9' });
    binary_of_version(&version, to).await;
    version
}

/// Makes the binary as it would be of `version`, which is of the same length, so that nothing moves.
pub(crate) async fn binary_of_version(version: &str, to: &Path) {
    assert_eq!(version.len(), VERSION.len());
    let change = format!("s/{}/{version}/g", VERSION.replace('.', "\\."));
    let output = Command::new("sed")
        .arg(change)
        .arg(BINARY)
        .env("LC_ALL", "C")
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    std::fs::write(to, output.stdout).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a block of the page as its reader would, with what stands for the reader's own replaced.
async fn run(mount: &TestMount, folder: &Path, block: &str, version: &str) -> String {
    let plugins = mount.server.plugin_directory();
    let block = block.replace("/etc/vault/plugins", &plugins.display().to_string());
    let variables = [("NEW", version), ("OLD", VERSION)];
    let output = mount.cli.script(folder, &block, &variables).await;
    output.ok().trim().to_owned()
}

#[tokio::test]
async fn the_commands_of_the_page_upgrade_and_go_back() {
    let mount = setup::mount_with_own_server("astra", Options::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let new = another_version(&folder.path().join("vault-plugin-secrets-astra")).await;
    let old = format!("vault-plugin-secrets-astra-{VERSION}");
    std::fs::copy(BINARY, mount.server.plugin_directory().join(old)).unwrap();
    let blocks: Vec<&str> = PAGE
        .split("```shell\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [upgrade, show, back, again] = blocks[..] else {
        panic!("{} blocks", blocks.len());
    };
    let run = async |block: &str| run(&mount, folder.path(), block, &new).await;

    let before = mount.credential("reader").await;
    assert_eq!(run(show).await, VERSION);
    run(upgrade).await;
    assert_eq!(run(show).await, new);
    mount.revoke(&before.lease_id).await;
    assert!(!mount.astra.accepts(&before.token).await);
    let between = mount.credential("reader").await;

    run(back).await;
    assert_eq!(run(show).await, VERSION);
    assert!(mount.astra.accepts(&between.token).await);
    mount.revoke(&between.lease_id).await;

    run(again).await;
    assert_eq!(run(show).await, VERSION);
    mount.credential("reader").await;
    mount.finish().await;
}
