//! One test for every kind of fault, and for the matchers.

use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::WaitFor;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::*;

const CREATE: &str = "/v2/clientIdSecrets";

fn on_create(fault: Value) -> Value {
    json!({"match": {"method": "POST", "path": CREATE}, "fault": fault, "times": 1})
}

/// Orphans, live tokens and whether the last request was committed.
fn left(astra: &Astra) -> (usize, usize, bool) {
    let found = astra.emulator.invariants();
    let committed = astra.emulator.journal().last().unwrap().committed;
    (found.orphans, found.live_tokens, committed)
}

async fn settled(astra: &Astra, orphans: usize) {
    let wanted = WaitFor {
        orphans: Some(orphans),
        ..WaitFor::default()
    };
    assert!(astra.emulator.wait(wanted, Duration::from_secs(5)).await);
}

#[tokio::test]
async fn without_faults_a_delivered_token_is_no_orphan() {
    let astra = Astra::new().await;
    astra.mint().await;
    settled(&astra, 0).await;
    assert_eq!(left(&astra), (0, 1, true));
    assert!(astra.emulator.live_tokens()[0].delivered);
    assert!(astra.emulator.journal()[0].delivered);
}

#[tokio::test]
async fn latency_before_and_after_the_commit() {
    let astra = Astra::new().await;
    astra.fault(on_create(
        json!({"kind": "latency", "ms": 150, "max_ms": 200}),
    ));
    let started = Instant::now();
    astra.mint().await;
    assert!(started.elapsed() >= Duration::from_millis(150));
    astra.fault(on_create(
        json!({"kind": "latency", "ms": 60_000, "at": "after_commit"}),
    ));
    let impatient = client()
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let sent = impatient
        .post(format!("{}{CREATE}", astra.emulator.url()))
        .bearer_auth(astra.emulator.root_token())
        .json(&json!({"roles": [API_RO_USER]}))
        .send()
        .await;
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!(left(&astra), (1, 2, true));
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_stop_the_service() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "latency", "ms": 300})));
    let impatient = client().timeout(Duration::from_millis(50)).build().unwrap();
    let sent = impatient
        .post(format!("{}{CREATE}", astra.emulator.url()))
        .bearer_auth(astra.emulator.root_token())
        .json(&json!({"roles": [API_RO_USER]}))
        .send()
        .await;
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!(astra.emulator.invariants().minted, 0);
    let wanted = WaitFor {
        token_count: Some(1),
        ..WaitFor::default()
    };
    assert!(astra.emulator.wait(wanted, Duration::from_secs(5)).await);
    assert_eq!(astra.emulator.invariants().orphans, 1);
}

#[tokio::test]
async fn status_with_every_body_and_retry_after() {
    let astra = Astra::new().await;
    for (body, content_type, text) in [
        (
            "errors",
            Some("application/json; charset=UTF-8"),
            r#"{"errors":[{"ID":"#,
        ),
        (
            "string",
            Some("application/json; charset=UTF-8"),
            "\"injected",
        ),
        ("null", Some("application/json; charset=UTF-8"), "null"),
        ("empty", None, ""),
        ("html", Some("text/html"), "<!DOCTYPE html>"),
        (
            "envoy",
            Some("text/plain; charset=utf-8"),
            "upstream connect error",
        ),
    ] {
        astra.fault(json!({"fault": {"kind": "status", "status": 503, "body": body}, "times": 1}));
        let response = astra.request("GET", "/v2/currentOrg").send().await.unwrap();
        let header = response
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap());
        assert_eq!(header, content_type);
        assert_eq!(response.headers().get("retry-after"), None);
        let got = got(response).await;
        assert_eq!(got.0, 503);
        assert!(got.1.starts_with(text), "{}", got.1);
    }
    for (retry_after, check) in [
        (json!({"seconds": 7}), "7"),
        (json!({"date": 5}), " GMT"),
        (json!("garbage"), "soon"),
        (json!("huge"), "99999999999999999999"),
    ] {
        astra.fault(
            json!({"fault": {"kind": "status", "status": 429, "retry_after": retry_after},
                           "times": 1}),
        );
        let response = astra.request("GET", "/v2/currentOrg").send().await.unwrap();
        assert_eq!(response.status(), 429);
        let header = response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(header.contains(check), "{header}");
    }
    assert!(
        astra.emulator.violations().is_empty(),
        "the service never saw these requests"
    );
}

#[tokio::test]
async fn status_instead_of_and_after_the_commit() {
    let astra = Astra::new().await;
    let create = || json!({"roles": [API_RO_USER]});
    astra.fault(on_create(json!({"kind": "status", "status": 500})));
    assert_eq!(astra.create(create()).await.0, 500);
    assert_eq!(left(&astra), (0, 0, false));
    astra.fault(on_create(
        json!({"kind": "status", "status": 504, "body": "html", "committed": true}),
    ));
    assert_eq!(astra.create(create()).await.0, 504);
    assert_eq!(left(&astra), (1, 1, true));
}

#[tokio::test]
async fn root_expired_once_and_for_good() {
    let astra = Astra::new().await;
    astra.fault(json!({"fault": {"kind": "root_expired"}, "times": 1}));
    let got = astra.get("/v2/currentOrg").await;
    assert_eq!(
        (got.0, parsed(&got)["errors"][0]["ID"].as_u64()),
        (401, Some(340_018))
    );
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    astra.fault(json!({"fault": {"kind": "root_expired", "persist": true}, "times": 1}));
    assert_eq!(astra.get("/v2/currentOrg").await.0, 401);
    assert_eq!(astra.get("/v2/currentOrg").await.0, 401);
    assert!(astra.works(&astra.seed("db_admin")).await);
}

#[tokio::test]
async fn ok_with_errors() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "ok_with_errors"})));
    let got = astra.create(json!({"roles": [API_RO_USER]})).await;
    assert_eq!(got.0, 200);
    assert!(parsed(&got)["errors"].is_array());
    assert_eq!(left(&astra), (0, 0, false));
}

#[tokio::test]
async fn resets() {
    let astra = Astra::new().await;
    for (kind, after) in [
        ("reset_before_commit", (0, 0, false)),
        ("reset_after_commit", (1, 1, true)),
    ] {
        astra.fault(on_create(json!({"kind": kind})));
        let (text, end) = astra.raw(&astra.raw_create()).await;
        assert_eq!(
            (text.as_str(), end),
            ("", Some(ErrorKind::ConnectionReset)),
            "{kind}"
        );
        assert_eq!(left(&astra), after, "{kind}");
        assert_eq!(astra.emulator.journal().last().unwrap().status, None);
    }
}

#[tokio::test]
async fn reset_mid_body() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "reset_mid_body", "bytes": 10})));
    let (text, end) = astra.raw(&astra.raw_create()).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert!(text.ends_with("\r\n\r\n{\"clientId"), "{text}");
    assert_eq!(left(&astra), (1, 1, true));
}

#[tokio::test]
async fn truncate() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "truncate", "bytes": 10})));
    let (text, end) = astra.raw(&astra.raw_create()).await;
    assert_eq!(end, None);
    assert!(text.ends_with("\r\n\r\n{\"clientId"), "{text}");
    assert!(text.contains("content-length: 4"), "{text}");

    astra.fault(on_create(
        json!({"kind": "truncate", "bytes": 10, "chunked": true}),
    ));
    let (text, end) = astra.raw(&astra.raw_create()).await;
    assert_eq!(end, None);
    assert!(
        text.contains("transfer-encoding: chunked") && !text.contains("\r\n0\r\n"),
        "{text}"
    );

    astra.fault(on_create(json!({"kind": "truncate", "then": "hang"})));
    let (text, end) = astra.raw(&astra.raw_create()).await;
    assert_eq!(end, Some(ErrorKind::WouldBlock), "{text}");
    assert_eq!(left(&astra), (3, 3, true));
}

#[tokio::test]
async fn slow_body() {
    let astra = Astra::new().await;
    astra.fault(on_create(
        json!({"kind": "slow_body", "bytes": 100, "every_ms": 50}),
    ));
    let started = Instant::now();
    astra.mint().await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    settled(&astra, 0).await;
    // Given up in the middle.
    astra.fault(on_create(
        json!({"kind": "slow_body", "bytes": 1, "every_ms": 50}),
    ));
    let mut tcp = TcpStream::connect(astra.address()).await.unwrap();
    tcp.write_all(astra.raw_create().as_bytes()).await.unwrap();
    let wanted = WaitFor {
        token_count: Some(2),
        ..WaitFor::default()
    };
    assert!(astra.emulator.wait(wanted, Duration::from_secs(5)).await);
    drop(tcp);
    assert_eq!(left(&astra), (1, 2, true));
}

#[tokio::test]
async fn malformed_json() {
    let astra = Astra::new().await;
    for how in ["cut", "trailing"] {
        astra.fault(on_create(json!({"kind": "malformed_json", "how": how})));
        let got = astra.create(json!({"roles": [API_RO_USER]})).await;
        assert_eq!(got.0, 200);
        assert!(serde_json::from_str::<Value>(&got.1).is_err(), "{}", got.1);
    }
    astra.fault(on_create(
        json!({"kind": "malformed_json", "how": "wrong_types"}),
    ));
    let got = astra.create(json!({"roles": [API_RO_USER]})).await;
    assert_eq!(parsed(&got)["clientId"], Value::Null);
    assert!(parsed(&got)["roles"].is_string());
    assert_eq!(left(&astra), (3, 3, true));
}

#[tokio::test]
async fn wrong_hash_and_foreign_client() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "wrong_hash"})));
    let wrong = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
    let minted = astra.emulator.live_tokens()[0].client_id.clone();
    assert_eq!(wrong["clientId"], minted.as_str());
    assert!(!astra.works(wrong["token"].as_str().unwrap()).await);

    astra.fault(on_create(json!({"kind": "foreign_client"})));
    let foreign = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
    let portal = astra.emulator.seeds().tokens["portal_1"].client_id.clone();
    assert_eq!(foreign["clientId"], portal.as_str());
    assert!(!astra.works(foreign["token"].as_str().unwrap()).await);
    assert_eq!(astra.emulator.invariants().orphans, 2);
}

#[tokio::test]
async fn roles_mismatch() {
    let astra = Astra::new().await;
    astra.fault(on_create(json!({"kind": "roles_mismatch"})));
    let got = parsed(&astra.create(json!({"roles": [API_RO_USER, RW_USER]})).await);
    assert_eq!(got["roles"], json!([RW_USER]));
    assert_eq!(astra.emulator.live_tokens()[0].roles, [RW_USER]);
    settled(&astra, 0).await;
}

#[tokio::test]
async fn missing_fields() {
    let astra = Astra::new().await;
    let fault = json!({"kind": "missing_fields", "fields": ["token", "generatedOn"]});
    astra.fault(on_create(fault));
    let got = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
    assert!(got.get("token").is_none() && got.get("generatedOn").is_none());
    assert!(got["secret"].is_string());
    settled(&astra, 0).await;
    astra.fault(on_create(
        json!({"kind": "missing_fields", "fields": ["token", "secret"]}),
    ));
    astra.create(json!({"roles": [API_RO_USER]})).await;
    assert_eq!(left(&astra), (1, 2, true));
    let fault = json!({"kind": "missing_fields", "fields": ["description"]});
    astra.fault(json!({"match": {"method": "GET"}, "fault": fault, "times": 1}));
    let list = parsed(&astra.get(CREATE).await);
    assert!(list["clients"][0].get("description").is_none());
    assert!(list["clients"][0].get("clientId").is_some());
}

#[tokio::test]
async fn huge_body() {
    let astra = Astra::new().await;
    astra.fault(json!({"fault": {"kind": "huge_body", "mib": 3}, "times": 1}));
    let got = astra.get(CREATE).await;
    assert_eq!(got.1.len(), 3 << 20);
    assert!(parsed(&got)["clients"].is_array());
}

#[tokio::test]
async fn gzip() {
    let astra = Astra::new().await;
    astra.fault(json!({"fault": {"kind": "gzip"}, "times": 1}));
    let request = astra
        .request("GET", "/v2/currentOrg")
        .bearer_auth(astra.emulator.root_token());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    let plain = format!(
        r#"{{"id":"{}"}}"#,
        astra.emulator.seeds().organizations[0].id
    );
    assert!(bytes.starts_with(b"\x1f\x8b\x08"));
    assert_eq!(
        &bytes[15..15 + plain.len()],
        plain.as_bytes(),
        "a stored block"
    );
}

#[tokio::test]
async fn redirect() {
    let astra = Astra::new().await;
    let own = astra.emulator.url();
    for (status, to, location) in [
        (301, json!("same_host"), format!("{own}{CREATE}")),
        (
            302,
            json!({"other_host": "127.0.0.2:1"}),
            format!("http://127.0.0.2:1{CREATE}"),
        ),
        (307, json!("plain_http"), format!("{own}{CREATE}")),
        (308, json!("same_host"), format!("{own}{CREATE}")),
    ] {
        astra.fault(on_create(
            json!({"kind": "redirect", "status": status, "to": to}),
        ));
        let request = astra
            .request("POST", CREATE)
            .json(&json!({"roles": [API_RO_USER]}));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["location"], location.as_str());
    }
    assert_eq!(astra.emulator.invariants().minted, 0);
}

#[tokio::test]
async fn close_idle() {
    let astra = Astra::new().await;
    let get = astra.raw_request(
        "GET /v2/currentOrg",
        "accept: */*\r\nuser-agent: raw/1\r\n",
        "",
    );
    astra.fault(json!({"fault": {"kind": "close_idle"}, "times": 1}));
    let (text, end) = astra.raw(&get).await;
    assert_eq!(end, None, "closed after the answer");
    assert!(
        text.starts_with("HTTP/1.1 200") && !text.contains("connection:"),
        "{text}"
    );

    astra.fault(json!({"fault": {"kind": "close_idle", "on_next_request": true}, "times": 1}));
    let mut tcp = TcpStream::connect(astra.address()).await.unwrap();
    tcp.write_all(get.as_bytes()).await.unwrap();
    let (text, end) = read_all(&mut tcp).await;
    assert!(text.starts_with("HTTP/1.1 200"));
    assert_eq!(end, Some(ErrorKind::WouldBlock), "still open");
    let before = astra.emulator.stats().requests;
    tcp.write_all(get.as_bytes()).await.unwrap();
    assert_eq!(
        read_all(&mut tcp).await,
        (String::new(), Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(astra.emulator.stats().requests, before);
}

#[tokio::test]
async fn hang() {
    let astra = Astra::new().await;
    for (committed, after) in [(false, (0, 0, false)), (true, (1, 1, true))] {
        astra.fault(on_create(json!({"kind": "hang", "committed": committed})));
        let (text, end) = astra.raw(&astra.raw_create()).await;
        assert_eq!((text.as_str(), end), ("", Some(ErrorKind::WouldBlock)));
        assert_eq!(left(&astra), after);
    }
}

#[tokio::test]
async fn no_listen() {
    let astra = Astra::new().await;
    let mut kept = TcpStream::connect(astra.address()).await.unwrap();
    let get = astra.raw_request(
        "GET /v2/currentOrg",
        "accept: */*\r\nuser-agent: raw/1\r\n",
        "",
    );
    kept.write_all(get.as_bytes()).await.unwrap();
    assert!(read_all(&mut kept).await.0.starts_with("HTTP/1.1 200"));

    let id = astra.fault(json!({"fault": {"kind": "no_listen"}}));
    let refused = TcpStream::connect(astra.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(
        read_all(&mut kept).await.1,
        None,
        "open connections are cut"
    );
    assert!(astra.emulator.remove_fault(id).unwrap());
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
}

async fn statuses(astra: &Astra, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(astra.get("/v2/currentOrg").await.0);
    }
    statuses
}

#[tokio::test]
async fn matchers() {
    let astra = Astra::new().await;
    let fault = json!({"kind": "status", "status": 503});
    astra.fault(json!({"match": {"nth": 2}, "fault": fault}));
    assert_eq!(statuses(&astra, 4).await, [200, 503, 200, 200]);
    astra.emulator.clear_faults();
    astra.fault(json!({"match": {"after": 1}, "fault": fault, "times": 2}));
    assert_eq!(statuses(&astra, 4).await, [200, 503, 503, 200]);
    assert!(astra.emulator.faults().is_empty(), "the rule vanished");
    astra.fault(json!({"match": {"method": "POST"}, "fault": fault}));
    astra.fault(json!({"match": {"path": "/v2/org*"}, "fault": fault}));
    assert_eq!(statuses(&astra, 1).await, [200]);
    assert_eq!(astra.get("/v2/organizations/users").await.0, 503);
    let users: Vec<(u64, u64)> = astra
        .emulator
        .faults()
        .iter()
        .map(|rule| (rule.matched, rule.fired))
        .collect();
    assert_eq!(users, [(0, 0), (1, 1)]);
    astra.emulator.clear_faults();
    let admin = astra.emulator.seeds().tokens["db_admin"].client_id.clone();
    astra.fault(json!({"match": {"client_id": admin}, "fault": fault}));
    assert_eq!(statuses(&astra, 1).await, [200]);
    let got = astra
        .call_as(&astra.seed("db_admin"), "GET", "/v2/currentOrg", None)
        .await;
    assert_eq!(got.0, 503);
    astra.emulator.clear_faults();
    astra.fault(json!({"match": {"probability": 0.5}, "fault": fault}));
    let hit = statuses(&astra, 100)
        .await
        .iter()
        .filter(|status| **status == 503)
        .count();
    assert!((25..75).contains(&hit), "{hit}");
}

#[tokio::test]
async fn bad_rules_are_refused() {
    let astra = Astra::new().await;
    for rule in [
        json!({"fault": {"kind": "status", "status": 99}}),
        json!({"fault": {"kind": "redirect", "status": 300, "to": "same_host"}}),
        json!({"fault": {"kind": "slow_body", "bytes": 0, "every_ms": 1}}),
        json!({"fault": {"kind": "huge_body", "mib": 0}}),
        json!({"fault": {"kind": "latency", "ms": 2, "max_ms": 1}}),
        json!({"fault": {"kind": "hang"}, "times": 0}),
        json!({"fault": {"kind": "hang"}, "match": {"nth": 0}}),
        json!({"fault": {"kind": "hang"}, "match": {"probability": 2.0}}),
        json!({"fault": {"kind": "tls_expired"}}),
    ] {
        let rule = serde_json::from_value(rule).unwrap();
        assert!(astra.emulator.add_fault(rule).is_err());
    }
    for rule in [
        json!({"fault": {"kind": "nonsense"}}),
        json!({"fault": {"kind": "hang"}, "x": 1}),
        json!({"fault": {"kind": "gzip", "x": 1}}),
        json!({"match": {"x": 1}, "fault": {"kind": "gzip"}}),
    ] {
        assert!(serde_json::from_value::<astra_emulator::FaultRule>(rule).is_err());
    }
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
}
