//! One test for every kind of fault that is not about the body.

use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::WaitFor;
use reqwest::RequestBuilder;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::*;

pub(crate) const CREATE: &str = "/v2/clientIdSecrets";

pub(crate) fn on_create(fault: Value) -> Value {
    json!({"match": {"method": "POST", "path": CREATE}, "fault": fault, "times": 1})
}

fn create(astra: &Astra) -> RequestBuilder {
    let request = astra.request("POST", CREATE);
    request
        .bearer_auth(astra.emulator.root_token())
        .json(&json!({"roles": [API_RO_USER]}))
}

/// Orphans, live tokens and whether the last request was committed.
pub(crate) fn left(astra: &Astra) -> (usize, usize, bool) {
    let found = astra.emulator.invariants();
    let committed = astra.emulator.journal().last().unwrap().committed;
    (found.orphans, found.live_tokens, committed)
}

pub(crate) async fn reconciled(astra: &Astra, orphans: usize) {
    let wanted = WaitFor {
        orphans: Some(orphans),
        ..WaitFor::default()
    };
    assert!(astra.emulator.wait(wanted, LONG).await);
}

#[tokio::test]
async fn without_faults_a_delivered_token_is_no_orphan() {
    let astra = Astra::new().await;
    astra.mint().await;
    reconciled(&astra, 0).await;
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
    let minted = || astra.emulator.invariants().minted;
    give_up(create(&astra), || minted() == 2).await;
    assert_eq!(left(&astra), (1, 2, true));
}

#[tokio::test]
async fn a_wait_ends_with_the_commit_and_not_with_a_later_answer() {
    let astra = Astra::new().await;
    astra.fault(on_create(
        json!({"kind": "latency", "ms": 3_600_000, "at": "after_commit"}),
    ));
    let wanted = WaitFor {
        token_count: Some(1),
        ..WaitFor::default()
    };
    let mint = create(&astra).send();
    tokio::select! {
        biased;
        held = astra.emulator.wait(wanted, Duration::from_secs(3_600)) => assert!(held),
        answer = mint => panic!("the wait is longer than the client's patience: {answer:?}"),
    }
    assert_eq!(left(&astra), (1, 1, true));
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_stop_the_service() {
    let astra = Astra::new().await;
    let mut rule = on_create(json!({"kind": "latency", "ms": 2_000}));
    rule.as_object_mut().unwrap().remove("times");
    astra.fault(rule);
    give_up(create(&astra), || astra.emulator.faults()[0].fired == 1).await;
    assert_eq!(astra.emulator.invariants().minted, 0);
    let wanted = WaitFor {
        token_count: Some(1),
        ..WaitFor::default()
    };
    assert!(astra.emulator.wait(wanted, LONG).await);
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
async fn status_without_and_after_the_commit() {
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
