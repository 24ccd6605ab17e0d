//! Mounting, tuning, disabling.

use harness::Options;
use harness::SOON;
use harness::wait_until;
use serde_json::json;

use harness::TestMount;

use crate::setup;

#[tokio::test]
async fn two_mounts_share_one_process_and_nothing_else() {
    let first = setup::mount_with_own_process("twin-a").await;
    let second = first.second("twin-b").await;
    assert_eq!(first.plugin.processes(&first.server).len(), 1);

    let one = first.credential("reader").await;
    let two = second.credential("reader").await;
    assert!(!first.astra.accepts(&two.token).await && !second.astra.accepts(&one.token).await);

    second.api.delete(&second.path("roles/reader")).await.ok();
    assert_eq!(second.read("creds/reader").await.status, 400);
    first.credential("reader").await;

    first.finish().await;
    // The other mount goes on when its neighbour is gone.
    second.role("reader", "1h", "8h").await;
    second.credential("reader").await;
    second.finish().await;
}

#[tokio::test]
async fn opted_out_of_multiplexing_each_mount_has_a_process() {
    let environment = vec![(
        "VAULT_PLUGIN_MULTIPLEXING_OPT_OUT".to_owned(),
        "astra".to_owned(),
    )];
    let first = setup::mount_with_own_server(
        "alone-a",
        Options {
            environment,
            ..Options::default()
        },
    )
    .await;
    let second = first.second("alone-b").await;
    assert_eq!(first.plugin.processes(&first.server).len(), 2);
    first.credential("reader").await;
    second.credential("reader").await;
    first.finish().await;
    second.credential("reader").await;
    second.finish().await;
}

#[tokio::test]
async fn tuning_reaches_the_next_lease() {
    let mount = setup::mount("tuned").await;
    mount.role("open", "0", "0").await;
    let path = mount.path("");
    mount
        .cli
        .ok(&[
            "secrets",
            "tune",
            "-default-lease-ttl=7m",
            "-max-lease-ttl=20m",
            &path,
        ])
        .await;
    until_lease_lasts(&mount, 420).await;

    mount
        .cli
        .ok(&["secrets", "tune", "-default-lease-ttl=3m", &path])
        .await;
    until_lease_lasts(&mount, 180).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_longer_ttl_than_the_mounts_is_capped_with_a_warning() {
    let mount = setup::mount("capped").await;
    mount
        .cli
        .ok(&[
            "secrets",
            "tune",
            "-default-lease-ttl=10m",
            "-max-lease-ttl=30m",
            &mount.path(""),
        ])
        .await;

    let role = json!({ "astra_roles": harness::READ_ONLY, "ttl": "2h", "max_ttl": "4h" });
    let reply = mount.write("roles/long", role).await;
    assert!(
        reply
            .warnings()
            .iter()
            .any(|text| text.contains("30m") || text.contains("1800")),
        "{reply:?}"
    );

    let reply = mount.read("creds/long").await;
    assert!(
        reply
            .warnings()
            .iter()
            .any(|text| text.contains("max_lease_ttl")),
        "{:?}",
        reply.warnings()
    );
    let answer = reply.ok();
    let credential = mount.hold(&answer);
    assert_eq!(answer["lease_duration"], 1800);

    // Astra itself ends the token soon after the longest possible lease.
    let left = mount.astra.seconds_left(&credential.client_id);
    assert!(
        (1800..=1800 + 900).contains(&left),
        "tokenExpiry is {left} s away"
    );

    let renewed = mount
        .api
        .write(
            "sys/leases/renew",
            json!({ "lease_id": credential.lease_id, "increment": 86_400 }),
        )
        .await
        .ok();
    assert!(
        renewed["lease_duration"].as_u64().unwrap() <= 1800,
        "{renewed}"
    );
    mount.finish().await;
}

#[tokio::test]
async fn disabling_ends_every_token_and_enabling_again_starts_empty() {
    let mount = setup::mount("reborn").await;
    let before = mount.credential("reader").await;
    mount.credential("reader").await;
    mount.cli.ok(&["secrets", "disable", &mount.name]).await;
    assert!(!mount.astra.accepts(&before.token).await);
    assert!(mount.astra.live().is_empty());

    mount
        .cli
        .ok(&[
            "secrets",
            "enable",
            &format!("-path={}", mount.name),
            &mount.plugin.name,
        ])
        .await;
    assert_eq!(mount.read("config").await.status, 404);
    assert!(mount.api.list(&mount.path("roles")).await.keys().is_empty());
    assert_eq!(mount.read("creds/reader").await.status, 400);

    mount.configure().await;
    mount.credential("reader").await;
    mount.finish().await;
}

/// The plugin may remember the mount's limits for a moment, so the first lease may be by the old ones.
async fn until_lease_lasts(mount: &TestMount, seconds: u64) {
    wait_until("a lease lasts as tuned", SOON, async || {
        let answer = mount.read("creds/open").await.ok();
        mount.hold(&answer);
        answer["lease_duration"] == seconds
    })
    .await;
}
