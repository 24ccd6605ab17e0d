//! One test for every kind of fault that corrupts a body.

use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::WaitFor;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::faults::*;
use crate::harness::*;

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
    reconciled(&astra, 0).await;
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
    assert!(astra.emulator.wait(wanted, LONG).await);
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
    reconciled(&astra, 0).await;
}

#[tokio::test]
async fn missing_fields() {
    let astra = Astra::new().await;
    let fault = json!({"kind": "missing_fields", "fields": ["token", "generatedOn"]});
    astra.fault(on_create(fault));
    let got = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
    assert!(got.get("token").is_none() && got.get("generatedOn").is_none());
    assert!(got["secret"].is_string());
    reconciled(&astra, 0).await;
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
