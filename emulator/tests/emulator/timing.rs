//! One test for every knob about time.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::harness::*;

fn rfc3339(at: time::OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339)
        .unwrap()
}

#[tokio::test]
async fn a_created_token_becomes_visible_after_the_delay() {
    let astra = Astra::new().await;
    for (scope, works, shows) in [
        ("both", false, false),
        ("auth", false, true),
        ("list", true, false),
    ] {
        astra.knobs(json!({"create_visible_after_ms": 60_000, "create_visible_scope": scope}));
        let token = astra.mint().await;
        let (text, id) = (
            token["token"].as_str().unwrap(),
            token["clientId"].as_str().unwrap(),
        );
        assert_eq!(astra.works(text).await, works, "{scope}");
        assert_eq!(
            astra.listed().await.iter().any(|own| own == id),
            shows,
            "{scope}"
        );
        astra.emulator.advance_clock(Duration::from_secs(61));
        assert!(astra.works(text).await);
        assert!(astra.listed().await.iter().any(|own| own == id));
    }
}

#[tokio::test]
async fn a_deleted_token_stays_visible_for_the_delay() {
    let astra = Astra::new().await;
    for (scope, works, shows) in [
        ("both", true, true),
        ("auth", true, false),
        ("list", false, true),
    ] {
        astra.knobs(json!({"delete_effective_after_ms": 60_000, "delete_effective_scope": scope}));
        let token = astra.mint().await;
        let (text, id) = (
            token["token"].as_str().unwrap(),
            token["clientId"].as_str().unwrap(),
        );
        assert_eq!(astra.delete(id).await.0, 204);
        assert_eq!(astra.works(text).await, works, "{scope}");
        assert_eq!(
            astra.listed().await.iter().any(|own| own == id),
            shows,
            "{scope}"
        );
        assert_eq!(astra.emulator.invariants().live_tokens, 0);
        assert_eq!(astra.delete(id).await.0, 404);
        astra.emulator.advance_clock(Duration::from_secs(61));
        assert!(!astra.works(text).await);
        assert!(!astra.listed().await.iter().any(|own| own == id));
    }
}

#[tokio::test]
async fn a_stale_list() {
    let astra = Astra::new().await;
    let old = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    astra.emulator.advance_clock(Duration::from_secs(61));
    astra.knobs(json!({"list_stale_ms": 60_000}));
    let new = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    assert_eq!(astra.delete(&old).await.0, 204);
    let listed = astra.listed().await;
    assert!(listed.contains(&old) && !listed.contains(&new));
    astra.emulator.advance_clock(Duration::from_secs(61));
    let listed = astra.listed().await;
    assert!(!listed.contains(&old) && listed.contains(&new));
}

#[tokio::test]
async fn bundle_expires_s() {
    let astra = Astra::new().await;
    astra.knobs(json!({"bundle_expires_s": 900}));
    let id = &astra.emulator.seeds().databases["vector_db"].id;
    let got = astra
        .call("POST", &format!("/v2/databases/{id}/secureBundleURL"), None)
        .await;
    let url = parsed(&got)["downloadURL"].as_str().unwrap().to_owned();
    assert_eq!(astra.http.get(&url).send().await.unwrap().status(), 200);
    astra.emulator.advance_clock(Duration::from_secs(901));
    assert_eq!(astra.http.get(&url).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn rate_limit_per_s() {
    let astra = Astra::new().await;
    astra.knobs(json!({"rate_limit_per_s": 1}));
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    // Real time: on a slow machine the bucket fills between two requests.
    let limited = loop {
        let request = astra
            .request("GET", "/v2/currentOrg")
            .bearer_auth(astra.emulator.root_token());
        let answer = request.send().await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
    };
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "1");
    // Real time: the bucket fills again.
    let deadline = Instant::now() + LONG;
    while astra.get("/v2/currentOrg").await.0 == 429 {
        assert!(Instant::now() < deadline);
    }
    assert!(
        astra
            .emulator
            .set_knobs(json!({"rate_limit_per_s": 0}))
            .is_err()
    );
    astra.knobs(json!({"rate_limit_per_s": null}));
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
}

#[tokio::test]
async fn org_max_token_expiry() {
    let astra = Astra::new().await;
    astra.knobs(json!({"org_max_token_expiry_s": 3600}));
    let now = astra.emulator.now();
    let expiry = |seconds: i64| {
        json!({"roles": [API_RO_USER],
               "tokenExpiry": rfc3339(now + time::Duration::seconds(seconds))})
    };
    assert_eq!(astra.create(expiry(1800)).await.0, 200);
    assert_eq!(astra.create(expiry(7200)).await.0, 400);
    assert!(astra.emulator.violations().is_empty());
    // Absent: the maximum.
    let token = astra.mint().await;
    let until = |token: &Value| {
        let text = token["tokenExpiry"].as_str().unwrap();
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    };
    let near = |token: &Value, seconds: i64| {
        let rest = (until(token) - now).whole_seconds();
        assert!((seconds..seconds + 600).contains(&rest), "{rest}");
    };
    near(&token, 3600);
    astra.knobs(json!({"org_max_token_expiry_mode": "clamp"}));
    near(&parsed(&astra.create(expiry(7200)).await), 3600);
    // An organization's own maximum comes first.
    let org = astra.emulator.seeds().organizations[0].id.clone();
    astra.emulator.edit_org(&org, None, Some(Some(60))).unwrap();
    near(&parsed(&astra.create(expiry(7200)).await), 60);
    astra.emulator.edit_org(&org, None, Some(None)).unwrap();
    astra.knobs(json!({"org_max_token_expiry_s": null, "ignore_expiry": true}));
    assert_eq!(
        parsed(&astra.create(expiry(60)).await).get("tokenExpiry"),
        None
    );
    astra.knobs(json!({"org_max_token_expiry_mode": "400"}));
}

#[tokio::test]
async fn latency_ms() {
    let astra = Astra::new().await;
    astra.knobs(json!({"latency_ms": 120}));
    let started = Instant::now();
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    assert!(started.elapsed() >= Duration::from_millis(120));
}
