//! `metrics` and `status`: what they tell after known events.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::warnings;
use crate::vault::Operation;

async fn mount() -> AstraMount {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER, "ttl": "5m"});
    mount.write("roles/app", role).await.unwrap();
    mount
}

async fn metrics(mount: &AstraMount) -> String {
    let data = mount.read_data("metrics").await;
    assert_eq!(data["http_status_code"], 200);
    let media = data["http_content_type"].as_str().unwrap();
    assert!(media.starts_with("text/plain; version=0.0.4"), "{media}");
    data["http_raw_body"].as_str().unwrap().to_owned()
}

/// The value of a series, written as Prometheus writes it.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let lines = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    let mut found = lines.filter(|(name, _)| *name == series);
    found.next().map(|(_, value)| value.parse().unwrap())
}

#[tokio::test]
async fn each_event_is_counted_once_with_its_outcome() {
    let mount = mount().await;
    let credential = mount.call(Operation::Read, "creds/app", json!({})).await;
    let credential = credential.unwrap().unwrap();
    mount.revoke(&credential).await.unwrap();
    for _ in 0..3 {
        let refused = mount
            .call(Operation::Read, "creds/made-up", json!({}))
            .await;
        assert!(refused.is_err());
    }
    let refused = Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    };
    let rule = mount.fault("POST", "/v2/clientIdSecrets", refused);
    let failed = mount.call(Operation::Read, "creds/app", json!({})).await;
    assert!(failed.is_err());
    mount.astra.remove_fault(rule).unwrap();
    let role = json!({"astra_roles": READER, "rotation_period": "24h"});
    mount.write("static-roles/batch", role).await.unwrap();
    mount.write("rotate-role/batch", json!({})).await.unwrap();
    mount.write("rotate-root", json!({})).await.unwrap();
    mount.tick().await;
    let text = metrics(&mount).await;
    for (series, expected) in [
        (
            r#"astra_mints_total{config="default",outcome="ok",role="app"}"#,
            1.0,
        ),
        (
            r#"astra_mints_total{config="default",outcome="astra",role="app"}"#,
            1.0,
        ),
        (
            r#"astra_revocations_total{config="default",outcome="ok",role="app"}"#,
            1.0,
        ),
        (
            r#"astra_rotations_total{config="default",kind="static",outcome="ok",role="batch"}"#,
            1.0,
        ),
        (
            r#"astra_rotations_total{config="default",kind="root",outcome="ok",role=""}"#,
            1.0,
        ),
        (
            r#"astra_upstream_requests_total{call="create-token",class="forbidden",config="default"}"#,
            1.0,
        ),
        (r#"astra_ticks_total{outcome="ok"}"#, 1.0),
        (r#"astra_intents_pending{config="default"}"#, 0.0),
        ("astra_may_write", 1.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    let created =
        r#"astra_upstream_request_duration_seconds_count{call="create-token",config="default"}"#;
    // A credential, one that was refused, a static role's two tokens, a root token.
    assert_eq!(value(&text, created), Some(5.0), "{text}");
    // Callers make up names of roles.
    assert!(!text.contains("made-up"), "{text}");
    assert!(value(&text, "process_resident_memory_bytes").unwrap() > 1e6);
}

/// What is known of a metric: its type and its labels.
type Kind = (String, BTreeSet<String>);

/// The table of docs/monitoring.md.
fn documented() -> BTreeMap<String, Kind> {
    let page = include_str!("../../../docs/monitoring.md");
    let words = |cell: &str| -> BTreeSet<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let kind = (cells[2].to_owned(), words(cells[3]));
        words(cells[1])
            .into_iter()
            .map(move |name| (name, kind.clone()))
    })
    .collect()
}

/// What a scrape has; each metric has a help text.
fn scraped(text: &str) -> BTreeMap<String, Kind> {
    let mut found = BTreeMap::new();
    let mut helped = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.len() > 10 && words.ends_with('.'), "{line}");
            helped = name;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped, "{line}");
            found.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else {
            let (_, labels): &mut Kind = found.get_mut(helped).unwrap();
            let inner = line
                .split_once('{')
                .and_then(|(_, rest)| rest.split_once('}'));
            let names = inner.into_iter().flat_map(|(inner, _)| inner.split(','));
            let names = names.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            labels.extend(names.filter(|name| name != "le"));
        }
    }
    found
}

#[tokio::test]
async fn the_page_has_every_metric_with_its_type_and_labels() {
    let mount = mount().await;
    let schedule = json!({"rotation_period": "24h"});
    mount.write("config", schedule).await.unwrap();
    let credential = mount.call(Operation::Read, "creds/app", json!({})).await;
    let credential = credential.unwrap().unwrap();
    mount.renew(&credential).await.unwrap();
    mount.revoke(&credential).await.unwrap();
    // The new root token ends, as it is rotated by a schedule.
    mount.write("rotate-root", json!({})).await.unwrap();
    let failure = Fault::Status {
        status: 503,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    };
    let rule = mount.fault("GET", "/v2/organizations/roles", failure);
    let failed = mount
        .call(Operation::List, "astra-roles/default/", json!({}))
        .await;
    assert!(failed.is_err());
    mount.astra.remove_fault(rule).unwrap();
    mount.tick().await;
    metrics(&mount).await;
    mount.tick().await;
    assert_eq!(scraped(&metrics(&mount).await), documented());
}

#[tokio::test]
async fn nothing_in_metrics_is_secret_or_a_client_id() {
    let mount = mount().await;
    let credential = mount.call(Operation::Read, "creds/app", json!({})).await;
    let credential = credential.unwrap().unwrap();
    mount.tick().await;
    let text = metrics(&mount).await;
    for key in ["token", "client_id", "client_secret", "org_id"] {
        let value = credential.data()[key].as_str().unwrap();
        assert!(!text.contains(value), "{key}: {text}");
    }
    assert!(!text.contains(mount.astra.root_token().split(':').nth(1).unwrap()));
}

#[tokio::test]
async fn tokens_are_counted_by_the_tick_only_while_metrics_are_read() {
    let mount = mount().await;
    mount
        .call(Operation::Read, "creds/app", json!({}))
        .await
        .unwrap();
    let series = r#"astra_live_lease_tokens{config="default"}"#;
    mount.tick().await;
    assert_eq!(value(&metrics(&mount).await, series), None);
    mount.tick().await;
    assert_eq!(value(&metrics(&mount).await, series), Some(1.0));
    let before = mount.all_requests();
    mount.tick().await;
    assert_eq!(
        mount.all_requests(),
        before,
        "they are counted now and then"
    );
}

#[tokio::test]
async fn status_tells_leases_static_roles_and_root_tokens_apart() {
    let mount = mount().await;
    mount
        .call(Operation::Read, "creds/app", json!({}))
        .await
        .unwrap();
    let role = json!({"astra_roles": READER, "rotation_period": "24h"});
    mount.write("static-roles/batch", role).await.unwrap();
    mount.write("rotate-root", json!({})).await.unwrap();
    let flat = mount.read_data("status/default").await;
    for (field, expected) in [
        ("live_lease_tokens", 1),
        ("live_static_role_tokens", 1),
        ("live_root_tokens", 1),
        ("live_tokens", 3),
        ("pending_intents", 0),
    ] {
        assert_eq!(flat[field], expected, "{field}");
    }
    assert!(
        flat.values()
            .all(|value| !value.is_object() && !value.is_null()),
        "{flat:?}"
    );
    assert!(flat["root_age"].as_str().unwrap().ends_with('s'));
    let all = mount.read_data("status").await;
    assert_eq!(all["configs"]["default"]["live_lease_tokens"], 1);
    assert!(all["configs"]["default"]["root_age"].is_u64());
    let listed = mount.call(Operation::List, "status/", json!({})).await;
    let listed = listed.unwrap().unwrap();
    assert_eq!(listed.data()["keys"], json!(["default"]));
    let row = &listed.data()["key_info"]["default"];
    assert_eq!(row["reachable"], true);
    assert_eq!(row["live_lease_tokens"], 1);
    assert!(
        mount
            .call(Operation::Read, "status/none", json!({}))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_node_that_may_not_write_says_that_it_does_not_know() {
    let mut mount = mount().await;
    mount
        .call(Operation::Read, "creds/app", json!({}))
        .await
        .unwrap();
    mount.set_standby(true);
    let flat = mount
        .call(Operation::Read, "status/default", json!({}))
        .await;
    let flat = flat.unwrap().unwrap();
    assert_eq!(flat.data()["may_write"], false);
    assert_eq!(flat.data().get("pending_intents"), None);
    assert_eq!(
        flat.warnings(),
        [
            "this node may not write, so it does not know which intents are pending: ask the \
             active node"
        ]
    );
    let all = mount
        .call(Operation::Read, "status", json!({}))
        .await
        .unwrap();
    assert_eq!(warnings(all).len(), 1);
    let listed = mount.call(Operation::List, "status/", json!({})).await;
    let listed = listed.unwrap().unwrap();
    let row = &listed.data()["key_info"]["default"];
    assert_eq!(row["pending_intents"], "unknown");
    assert_eq!(listed.warnings(), flat.warnings());
    let text = metrics(&mount).await;
    assert_eq!(value(&text, "astra_may_write"), Some(0.0));
    assert_eq!(
        value(&text, r#"astra_intents_pending{config="default"}"#),
        None
    );
}
