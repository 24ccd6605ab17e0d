//! Reading credentials.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::scene::READ_ONLY;
use crate::scene::SOON;
use crate::scene::Scene;

#[tokio::test]
async fn get_and_post_return_the_same_shape() {
    let scene = Scene::new("shapes").await;
    let got = scene.read("creds/reader").await.ok();
    let posted = scene.write("creds/reader", json!({})).await.ok();
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
        assert_eq!(answer["data"]["org_id"], scene.astra.org_id());
        scene.hold(answer);
    }
    assert_ne!(
        got["data"]["client_id"], posted["data"]["client_id"],
        "each read mints a token of its own"
    );
    scene.finish().await;
}

#[tokio::test]
async fn the_command_line_reads_writes_renews_and_revokes() {
    let scene = Scene::new("typed").await;
    let roles = format!("astra_roles={READ_ONLY}");
    let role = scene.path("roles/typed");
    scene
        .cli
        .ok(&["write", &role, &roles, "ttl=1h", "max_ttl=8h"])
        .await;
    let creds = scene.path("creds/typed");

    let table = scene.cli.ok(&["read", &creds]).await;
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
    scene
        .cli
        .ok(&[
            "lease",
            "revoke",
            "-sync",
            lease.split_whitespace().last().unwrap(),
        ])
        .await;

    let read = scene.hold(&scene.cli.json(&["read"], &[&creds]).await);
    let written = scene.hold(&scene.cli.json(&["write", "-force"], &[&creds]).await);
    assert!(scene.astra.accepts(&read.token).await && scene.astra.accepts(&written.token).await);

    let renewed = scene
        .cli
        .json(&["lease", "renew"], &["-increment=2h", &read.lease_id])
        .await;
    assert_eq!(renewed["lease_duration"], 7200);
    scene
        .cli
        .ok(&["lease", "revoke", "-sync", &read.lease_id])
        .await;
    assert!(!scene.astra.accepts(&read.token).await && scene.astra.accepts(&written.token).await);
    scene.finish().await;
}

#[tokio::test]
async fn ttl_shortens_the_lease_and_reason_is_told_to_astra() {
    let scene = Scene::new("reasons").await;
    let answer = scene
        .write(
            "creds/reader",
            json!({ "ttl": "5m", "reason": "OPS-4711 cannot wait" }),
        )
        .await
        .ok();
    let credential = scene.hold(&answer);
    assert_eq!(answer["lease_duration"], 300);
    let description = scene.astra.description(&credential.client_id);
    assert!(
        description.contains("reader") && description.contains("OPS-4711"),
        "{description}"
    );
    assert!(description.len() <= 120 && description.is_ascii());

    let reply = scene
        .api
        .read(&scene.path("creds/reader?ttl=9m&reason=by-query"))
        .await;
    let answer = reply.ok();
    let credential = scene.hold(&answer);
    assert_eq!(answer["lease_duration"], 540);
    assert!(
        scene
            .astra
            .description(&credential.client_id)
            .contains("by-query")
    );

    let reply = scene.write("creds/reader", json!({ "ttl": "50h" })).await;
    assert!(
        reply.warnings().iter().any(|text| text.contains("ttl")),
        "{reply:?}"
    );
    let answer = reply.ok();
    scene.hold(&answer);
    assert_eq!(answer["lease_duration"], 3600);
    scene.finish().await;
}

#[tokio::test]
async fn astra_ends_every_token_even_if_vault_never_does() {
    let scene = Scene::new("backstop").await;
    let credential = scene.credential("reader").await;
    let left = scene.astra.seconds_left(&credential.client_id);
    let max_ttl = 8 * 3600;
    assert!(
        (max_ttl..=max_ttl + 900).contains(&left),
        "tokenExpiry is {left} s away, max_ttl {max_ttl} s"
    );
    scene.finish().await;
}

#[tokio::test]
async fn an_unknown_role_is_refused() {
    let scene = Scene::new("unknown-role").await;
    let text = scene.read("creds/nobody").await.refused(400);
    assert!(text.contains("nobody") && text.contains("roles/"), "{text}");
    assert!(scene.astra.live().is_empty());
    scene.finish().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_token() {
    let scene = Scene::new("given-up").await;
    scene.astra.set_latency(Duration::from_millis(700));
    let impatient =
        tokio::time::timeout(Duration::from_millis(250), scene.read("creds/reader")).await;
    assert!(
        impatient.is_err(),
        "the mint takes longer than the caller waits"
    );
    scene.astra.until_live(1, SOON).await;
    scene.astra.set_latency(Duration::ZERO);
    scene.settle(SOON).await;
    assert!(scene.astra.live().is_empty());
    scene.finish().await;
}
