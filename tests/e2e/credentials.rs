//! Reading credentials.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use harness::READ_ONLY;
use harness::SOON;
use harness::wait_until;

use crate::setup;

#[tokio::test]
async fn get_and_post_return_the_same_shape() {
    let mount = setup::mount("shapes").await;
    let got = mount.read("creds/reader").await.ok();
    let posted = mount.write("creds/reader", json!({})).await.ok();
    let keys = |answer: &Value| {
        answer["data"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&got),
        [
            "client_id",
            "client_secret",
            "expires_at",
            "org_id",
            "token"
        ]
    );
    assert_eq!(keys(&got), keys(&posted));
    for answer in [&got, &posted] {
        assert!(
            answer["data"]
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_string),
            "flat, all strings"
        );
        assert_eq!(
            (
                answer["lease_duration"].clone(),
                answer["renewable"].clone()
            ),
            (json!(3600), json!(true))
        );
        assert_eq!(answer["data"]["org_id"], mount.astra.org_id());
        mount.hold(answer);
    }
    assert_ne!(
        got["data"]["client_id"], posted["data"]["client_id"],
        "each read mints a token of its own"
    );
    mount.finish().await;
}

#[tokio::test]
async fn the_command_line_reads_writes_renews_and_revokes() {
    let mount = setup::mount("typed").await;
    let roles = format!("astra_roles={READ_ONLY}");
    let role = mount.path("roles/typed");
    mount
        .cli
        .ok(&["write", &role, &roles, "ttl=1h", "max_ttl=8h"])
        .await;
    let creds = mount.path("creds/typed");

    let table = mount.cli.ok(&["read", &creds]).await;
    for word in [
        "lease_id",
        "lease_duration",
        "client_id",
        "client_secret",
        "token",
        "AstraCS:",
        "1h",
    ] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
    let lease = table
        .lines()
        .find(|line| line.starts_with("lease_id "))
        .unwrap();
    mount
        .cli
        .ok(&[
            "lease",
            "revoke",
            "-sync",
            lease.split_whitespace().last().unwrap(),
        ])
        .await;

    let read = mount.hold(&mount.cli.json(&["read"], &[&creds]).await);
    let written = mount.hold(&mount.cli.json(&["write", "-force"], &[&creds]).await);
    assert!(mount.astra.accepts(&read.token).await && mount.astra.accepts(&written.token).await);

    let renewed = mount
        .cli
        .json(&["lease", "renew"], &["-increment=2h", &read.lease_id])
        .await;
    assert_eq!(renewed["lease_duration"], 7200);
    mount
        .cli
        .ok(&["lease", "revoke", "-sync", &read.lease_id])
        .await;
    assert!(!mount.astra.accepts(&read.token).await && mount.astra.accepts(&written.token).await);
    mount.finish().await;
}

#[tokio::test]
async fn ttl_shortens_the_lease_and_reason_is_told_to_astra() {
    let mount = setup::mount("reasons").await;
    let answer = mount
        .write(
            "creds/reader",
            json!({ "ttl": "5m", "reason": "OPS-4711 cannot wait" }),
        )
        .await
        .ok();
    let credential = mount.hold(&answer);
    assert_eq!(answer["lease_duration"], 300);
    let description = mount.astra.description(&credential.client_id);
    assert!(
        description.contains("reader") && description.contains("OPS-4711"),
        "{description}"
    );
    assert!(description.len() <= 120 && description.is_ascii());

    let reply = mount
        .api
        .read(&mount.path("creds/reader?ttl=9m&reason=by-query"))
        .await;
    let answer = reply.ok();
    let credential = mount.hold(&answer);
    assert_eq!(answer["lease_duration"], 540);
    assert!(
        mount
            .astra
            .description(&credential.client_id)
            .contains("by-query")
    );

    let reply = mount.write("creds/reader", json!({ "ttl": "50h" })).await;
    assert!(
        reply.warnings().iter().any(|text| text.contains("ttl")),
        "{reply:?}"
    );
    let answer = reply.ok();
    mount.hold(&answer);
    assert_eq!(answer["lease_duration"], 3600);
    mount.finish().await;
}

#[tokio::test]
async fn astra_ends_every_token_even_if_vault_never_does() {
    let mount = setup::mount("backstop").await;
    let credential = mount.credential("reader").await;
    let left = mount.astra.seconds_left(&credential.client_id);
    let max_ttl = 8 * 3600;
    assert!(
        (max_ttl..=max_ttl + 900).contains(&left),
        "tokenExpiry is {left} s away, max_ttl {max_ttl} s"
    );
    mount.finish().await;
}

#[tokio::test]
async fn an_unknown_role_is_refused() {
    let mount = setup::mount("unknown-role").await;
    let text = mount.read("creds/missing").await.refused(400);
    assert!(
        text.contains("missing") && text.contains("roles/"),
        "{text}"
    );
    assert!(mount.astra.live().is_empty());
    mount.finish().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_token() {
    let mount = setup::mount("given-up").await;
    // Longer than the caller waits.
    mount.astra.set_latency(Duration::from_secs(2));
    mount
        .abandon_reads_until(Duration::from_millis(250), || mount.astra.minted() > 0)
        .await;
    mount.astra.set_latency(Duration::ZERO);
    // On a busy machine several reads were abandoned, and each may still mint.
    let emulator = &mount.astra.emulator;
    wait_until("no token is left", SOON, async || {
        emulator.stats().concurrency == 0 && mount.astra.live().is_empty()
    })
    .await;
    mount.finish().await;
}
