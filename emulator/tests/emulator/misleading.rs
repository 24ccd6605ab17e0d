//! Answers that mislead: refusals after the commit, lists that hide, expiries that were changed.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::harness::*;

#[tokio::test]
async fn every_refusal_may_come_after_the_commit() {
    let astra = Astra::new().await;
    let mut minted = 0;
    for status in (400..=451).chain([500, 502, 503, 504]) {
        for body in [
            "errors",
            "string",
            "block_page",
            "html",
            "empty",
            "null",
            "half",
        ] {
            let fault =
                json!({"kind": "status", "status": status, "body": body, "committed": true});
            let id = astra.fault(json!({"fault": fault}));
            let response = astra
                .request("POST", "/v2/clientIdSecrets")
                .bearer_auth(astra.emulator.root_token())
                .json(&json!({"roles": [API_RO_USER]}))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status().as_u16(), status);
            let text = response.text().await;
            match body {
                "half" => assert!(text.is_err()),
                "block_page" => assert!(text.unwrap().contains("Access blocked")),
                "errors" => assert!(text.unwrap().starts_with("{\"errors\":")),
                _ => assert!(text.is_ok()),
            }
            minted += 1;
            assert_eq!(
                astra.emulator.invariants().orphans,
                minted,
                "{status} {body}"
            );
            astra.emulator.remove_fault(id).unwrap();
        }
    }
    let entry = astra.emulator.journal().pop().unwrap();
    assert!(entry.committed);
    // Instead of the commit: no token.
    astra.fault(json!({"fault": {"kind": "status", "status": 403, "body": "half"}}));
    let request = astra.request("POST", "/v2/clientIdSecrets");
    let request = request.bearer_auth(astra.emulator.root_token());
    let response = request
        .json(&json!({"roles": [API_RO_USER]}))
        .send()
        .await
        .unwrap();
    assert!(response.text().await.is_err());
    assert_eq!(astra.emulator.invariants().orphans, minted);
}

#[tokio::test]
async fn a_redirect_may_come_after_the_commit() {
    let astra = Astra::new().await;
    for (index, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let id = astra.fault(json!({"fault": {"kind": "redirect", "status": status,
            "to": {"other_host": "127.0.0.2:1"}, "committed": true}}));
        let got = astra.create(json!({"roles": [API_RO_USER]})).await;
        assert_eq!(got, (status, String::new()));
        assert_eq!(astra.emulator.invariants().orphans, index + 1);
        astra.emulator.remove_fault(id).unwrap();
    }
    let id = astra.emulator.live_tokens()[0].client_id.clone();
    astra.fault(
        json!({"fault": {"kind": "redirect", "status": 307, "to": "same_host",
        "committed": true}}),
    );
    assert_eq!(astra.delete(&id).await.0, 307);
    assert_eq!(astra.emulator.invariants().orphans, 4);
}

#[tokio::test]
async fn delete_misses_a_token_that_is_not_visible_yet() {
    let astra = Astra::new().await;
    for (scope, works, shows, status) in [
        ("delete", true, true, 404),
        ("all", false, false, 404),
        ("both", false, false, 204),
    ] {
        astra.knobs(json!({"create_visible_after_ms": 60_000, "create_visible_scope": scope}));
        let made = astra.mint().await;
        let (token, id) = (
            made["token"].as_str().unwrap(),
            made["clientId"].as_str().unwrap(),
        );
        assert_eq!(astra.works(token).await, works, "{scope}");
        assert_eq!(
            astra.listed().await.iter().any(|own| own == id),
            shows,
            "{scope}"
        );
        assert_eq!(astra.delete(id).await.0, status, "{scope}");
        let live = astra.emulator.invariants().live_tokens;
        assert_eq!(live, usize::from(status == 404), "{scope}");
        // The client did not make up the id.
        assert_eq!(astra.emulator.invariants().deletes_of_unknown, 0);
        astra.emulator.advance_clock(Duration::from_secs(61));
        assert_eq!(astra.works(token).await, status == 404);
        if status == 404 {
            assert_eq!(astra.delete(id).await.0, 204);
        }
    }
    assert_eq!(astra.emulator.invariants().live_tokens, 0);
}

#[tokio::test]
async fn a_second_delete_within_the_delay_succeeds_without_effect() {
    let astra = Astra::new().await;
    let id = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    astra.knobs(json!({"delete_effective_after_ms": 60_000, "delete_effective_scope": "all"}));
    assert_eq!(astra.delete(&id).await.0, 204);
    assert_eq!(astra.delete(&id).await.0, 204);
    assert_eq!(astra.emulator.invariants().deleted, 1);
    astra.emulator.advance_clock(Duration::from_secs(61));
    assert_eq!(astra.delete(&id).await.0, 404);
}

#[tokio::test]
async fn lists_hide_what_a_create_echoed() {
    let astra = Astra::new().await;
    let expiry = (astra.emulator.now() + time::Duration::hours(1))
        .format(&Rfc3339)
        .unwrap();
    let body = json!({"roles": [API_RO_USER], "description": "text", "tokenExpiry": expiry});
    for (fields, description, has_expiry) in [
        ("full", Some("text"), true),
        ("no_description", None, true),
        ("empty_description", Some(""), true),
        ("no_expiry", Some("text"), false),
    ] {
        astra.knobs(json!({"list_fields": fields}));
        let made = parsed(&astra.create(body.clone()).await);
        assert_eq!(made["description"], "text");
        assert!(made["tokenExpiry"].is_string());
        let list = parsed(&astra.get("/v2/clientIdSecrets").await);
        let entry = list["clients"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(entry["clientId"], made["clientId"]);
        assert_eq!(
            entry.get("description").and_then(Value::as_str),
            description
        );
        assert_eq!(entry.get("tokenExpiry").is_some(), has_expiry, "{fields}");
    }
}

#[tokio::test]
async fn expiries_are_rewritten_and_the_echo_may_not_say_so() {
    let astra = Astra::new().await;
    astra.emulator.set_clock_rate(0.0).unwrap();
    let now = astra.emulator.now();
    let text = |seconds: i64| {
        (now + time::Duration::seconds(seconds))
            .format(&Rfc3339)
            .unwrap()
    };
    let body = json!({"roles": [API_RO_USER], "tokenExpiry": text(100)});
    for (knobs, stored, shown) in [
        (json!({"rewrite_expiry": {"life_s": 7}}), Some(7), Some(7)),
        (
            json!({"rewrite_expiry": {"shift_s": -90}}),
            Some(10),
            Some(10),
        ),
        (
            json!({"rewrite_expiry": {"shift_s": 900}, "expiry_echo": "asked"}),
            Some(1000),
            Some(100),
        ),
        (
            json!({"rewrite_expiry": null, "expiry_echo": "absent"}),
            Some(100),
            None,
        ),
        (
            json!({"ignore_expiry": true, "expiry_echo": "asked"}),
            None,
            Some(100),
        ),
        (
            json!({"ignore_expiry": true, "expiry_echo": "stored"}),
            None,
            None,
        ),
    ] {
        astra.knobs(knobs.clone());
        let made = parsed(&astra.create(body.clone()).await);
        let at = |value: &str| OffsetDateTime::parse(value, &Rfc3339).unwrap();
        let seconds = |value: Option<&str>| value.map(|value| (at(value) - now).whole_seconds());
        assert_eq!(
            seconds(made.get("tokenExpiry").and_then(Value::as_str)),
            shown,
            "{knobs}"
        );
        let token = astra
            .emulator
            .token(made["clientId"].as_str().unwrap())
            .unwrap();
        assert_eq!(seconds(token.token_expiry.as_deref()), stored, "{knobs}");
    }
}

#[tokio::test]
async fn the_clock_runs_apart_from_the_machine() {
    let astra = Astra::new().await;
    astra.emulator.set_clock_rate(0.0).unwrap();
    let now = astra.emulator.now();
    astra.mint().await;
    assert_eq!(astra.emulator.now(), now);
    astra.emulator.advance_clock(Duration::from_secs(5));
    assert_eq!(astra.emulator.now(), now + Duration::from_secs(5));
    // Backwards too; a token of the future is listed all the same.
    astra.emulator.set_clock(now - Duration::from_secs(3600));
    assert_eq!(astra.emulator.now(), now - Duration::from_secs(3600));
    let response = astra
        .request("GET", "/v2/currentOrg")
        .bearer_auth(astra.emulator.root_token())
        .send()
        .await
        .unwrap();
    let date = response.headers()["date"].to_str().unwrap().to_owned();
    let shown = httpdate::parse_http_date(&date).unwrap();
    let shown = OffsetDateTime::from(shown);
    assert_eq!(
        shown.unix_timestamp(),
        astra.emulator.now().unix_timestamp()
    );
    astra.emulator.set_clock_rate(1000.0).unwrap();
    let before = astra.emulator.now();
    while astra.emulator.now() - before < time::Duration::seconds(1) {
        tokio::task::yield_now().await;
    }
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(astra.emulator.set_clock_rate(rate).is_err());
    }
    let set = astra
        .http
        .post(format!("{}/control/clock", astra.emulator.control_url()));
    let set = got(set.json(&json!({"rate": 0.5})).send().await.unwrap()).await;
    assert_eq!(parsed(&set)["rate"], 0.5);
}

#[tokio::test]
async fn the_time_of_making_is_shifted_or_left_out_of_answers_only() {
    let astra = Astra::new().await;
    astra.emulator.set_clock_rate(0.0).unwrap();
    let now = astra.emulator.now();
    let at = |value: &Value| {
        let text = value.as_str()?;
        Some((OffsetDateTime::parse(text, &Rfc3339).unwrap() - now).whole_seconds())
    };
    for (echo, shown) in [
        (json!("stored"), Some(0)),
        (json!({"shift_s": -31_536_000}), Some(-31_536_000)),
        (json!({"shift_s": 900}), Some(900)),
        (json!("absent"), None),
    ] {
        astra.knobs(json!({"generated_on_echo": echo}));
        let made = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
        assert_eq!(at(&made["generatedOn"]), shown, "{echo}");
        assert_eq!(made.get("generatedOn").is_some(), shown.is_some(), "{echo}");
        let list = parsed(&astra.get("/v2/clientIdSecrets").await);
        let entry = list["clients"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(entry["clientId"], made["clientId"]);
        // Lists have milliseconds.
        let listed = at(&entry["generatedOn"]);
        let is_near = |listed: i64| shown.is_some_and(|shown| (listed - shown).abs() <= 1);
        assert!(
            listed.map_or(shown.is_none(), is_near),
            "{echo}: {listed:?}"
        );
        let token = astra.emulator.token(made["clientId"].as_str().unwrap());
        assert_eq!(at(&token.unwrap().generated_on.into()), Some(0), "{echo}");
    }
}
