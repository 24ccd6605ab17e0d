//! One test for every knob that changes answers.

use serde_json::Value;
use serde_json::json;

use crate::harness::*;

async fn first_client(astra: &Astra) -> Vec<String> {
    let list = parsed(&astra.get("/v2/clientIdSecrets").await);
    list["clients"][0]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[tokio::test]
async fn list_fields() {
    let astra = Astra::new().await;
    let full = [
        "clientId",
        "description",
        "generatedOn",
        "roles",
        "tokenExpiry",
    ];
    assert_eq!(first_client(&astra).await, full);
    astra.knobs(json!({"list_fields": "legacy"}));
    assert_eq!(
        first_client(&astra).await,
        ["clientId", "generatedOn", "roles"]
    );
    astra.knobs(json!({"list_fields": "oas"}));
    assert_eq!(first_client(&astra).await, ["clientId", "roles"]);
}

#[tokio::test]
async fn list_expired() {
    let astra = Astra::new().await;
    let expired = astra.emulator.seeds().tokens["expired"].client_id.clone();
    assert!(astra.listed().await.contains(&expired));
    astra.knobs(json!({"list_expired": false}));
    assert!(!astra.listed().await.contains(&expired));
}

#[tokio::test]
async fn list_own_only_to() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let (root, other) = (&seeds.tokens["org_admin"], &seeds.tokens["read_only"]);
    let made = astra.mint().await["clientId"].clone();
    let listed = async |token: &str| {
        let got = astra
            .call_as(token, "GET", "/v2/clientIdSecrets", None)
            .await;
        parsed(&got)["clients"].as_array().unwrap().clone()
    };
    assert!(listed(&root.token).await.len() > 2);
    astra.knobs(json!({"list_own_only_to": [root.client_id]}));
    let mut ids: Vec<_> = listed(&root.token).await;
    ids.iter_mut()
        .for_each(|client| *client = client["clientId"].take());
    assert_eq!(ids, [json!(root.client_id), made]);
    assert!(!ids.contains(&json!(other.client_id)));
}

#[tokio::test]
async fn accept_unknown_roles() {
    let astra = Astra::new().await;
    let body = json!({"roles": ["API RO User", UNKNOWN_ROLE]});
    assert_eq!(astra.create(body.clone()).await.0, 400);
    assert_eq!(astra.create(json!({"roles": [UNKNOWN_ROLE]})).await.0, 404);
    astra.knobs(json!({"accept_unknown_roles": true}));
    let got = astra.create(body).await;
    assert_eq!(got.0, 200);
    let token = parsed(&got)["token"].as_str().unwrap().to_owned();
    // It authenticates and is good for nothing.
    assert!(astra.works(&token).await);
    let got = astra.call_as(&token, "GET", "/v2/databases", None).await;
    assert_eq!(got, (401, "null".to_owned()));
}

#[tokio::test]
async fn iam_errors() {
    let astra = Astra::new().await;
    let body = json!({"roles": [UNKNOWN_ROLE]});
    assert!(parsed(&astra.create(body.clone()).await).is_string());
    astra.knobs(json!({"iam_errors": "errors"}));
    assert!(parsed(&astra.create(body.clone()).await)["errors"][0]["message"].is_string());
    astra.knobs(json!({"iam_errors": "text"}));
    let got = astra.create(body).await;
    assert!(got.1.starts_with("role "), "{}", got.1);
}

#[tokio::test]
async fn create_status() {
    let astra = Astra::new().await;
    astra.knobs(json!({"create_status": 201}));
    assert_eq!(astra.create(json!({"roles": [API_RO_USER]})).await.0, 201);
    assert!(
        astra
            .emulator
            .set_knobs(json!({"create_status": 400}))
            .is_err()
    );
}

#[tokio::test]
async fn descriptions() {
    let astra = Astra::new().await;
    let with = |length: usize| json!({"roles": [API_RO_USER], "description": "d".repeat(length)});
    assert_eq!(astra.create(with(255)).await.0, 200);
    assert_eq!(astra.create(with(256)).await.0, 400);
    astra.knobs(json!({"max_description": 10}));
    assert_eq!(astra.create(with(11)).await.0, 400);
    assert!(astra.emulator.violations().is_empty());
    astra.knobs(json!({"truncate_description": 3}));
    assert_eq!(parsed(&astra.create(with(10)).await)["description"], "ddd");
    astra.knobs(json!({"truncate_description": null, "ignore_description": true}));
    assert_eq!(parsed(&astra.create(with(10)).await)["description"], "");
}

#[tokio::test]
async fn max_tokens() {
    let astra = Astra::new().await;
    let have = astra.listed().await.len();
    astra.knobs(json!({"max_tokens": have + 1}));
    let token = astra.mint().await;
    for status in [429, 400, 403] {
        astra.knobs(json!({"max_tokens_status": status}));
        assert_eq!(
            astra.create(json!({"roles": [API_RO_USER]})).await.0,
            status
        );
    }
    assert_eq!(
        astra.delete(token["clientId"].as_str().unwrap()).await.0,
        204
    );
    astra.mint().await;
    assert!(
        astra
            .emulator
            .set_knobs(json!({"max_tokens_status": 500}))
            .is_err()
    );
}

#[tokio::test]
async fn delete_status() {
    let astra = Astra::new().await;
    for (knob, expected) in [
        ("no_content", (204, "")),
        ("ok_empty", (200, "")),
        ("ok_object", (200, "{}")),
    ] {
        astra.knobs(json!({"delete_status": knob}));
        let token = astra.mint().await;
        let got = astra.delete(token["clientId"].as_str().unwrap()).await;
        assert_eq!((got.0, got.1.as_str()), expected);
    }
    assert_eq!(astra.emulator.invariants().live_tokens, 0);
}

#[tokio::test]
async fn delete_missing() {
    let astra = Astra::new().await;
    for (knob, status) in [
        ("not_found", 404),
        ("bad_request", 400),
        ("no_content", 204),
        ("server_error", 500),
    ] {
        astra.knobs(json!({"delete_missing": knob}));
        let got = astra.delete("FakeClientIdForDocsOnlyA").await;
        assert_eq!(got.0, status);
        match knob {
            "not_found" | "server_error" => assert!(parsed(&got)["errors"].is_array()),
            "bad_request" => assert!(parsed(&got).is_string()),
            _ => assert_eq!(got.1, ""),
        }
    }
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn list_roles_needs_permission() {
    let astra = Astra::new().await;
    let admin = astra.seed("db_admin");
    let path = "/v2/organizations/roles";
    assert_eq!(astra.call_as(&admin, "GET", path, None).await.0, 200);
    astra.knobs(json!({"list_roles_needs_permission": true}));
    assert_eq!(astra.call_as(&admin, "GET", path, None).await.0, 403);
    assert_eq!(astra.get(path).await.0, 200);
}

#[tokio::test]
async fn role_case() {
    let astra = Astra::new().await;
    for (knob, keys) in [
        (
            "snake",
            vec![
                "id",
                "last_update_date_time",
                "last_update_user_id",
                "name",
                "policy",
            ],
        ),
        (
            "oas",
            vec![
                "id",
                "last_update_datetime",
                "last_update_userid",
                "name",
                "policy",
            ],
        ),
        (
            "pascal",
            vec![
                "ID",
                "LastUpdateDateTime",
                "LastUpdateUserID",
                "Name",
                "OrgID",
                "Policy",
            ],
        ),
        (
            "policy_as_string",
            vec![
                "ID",
                "LastUpdateDateTime",
                "LastUpdateUserID",
                "Name",
                "OrgID",
                "Policy",
            ],
        ),
    ] {
        astra.knobs(json!({"role_case": knob}));
        let role = parsed(
            &astra
                .get(&format!("/v2/organizations/roles/{API_RO_USER}"))
                .await,
        );
        let own: Vec<&String> = role.as_object().unwrap().keys().collect();
        assert_eq!(own, keys, "{knob}");
        assert_eq!(
            role.get("Policy").is_some_and(Value::is_string),
            knob == "policy_as_string"
        );
    }
}

#[tokio::test]
async fn expired_reply() {
    let astra = Astra::new().await;
    let expired = astra.seed("expired");
    for (knob, status, id) in [
        ("unknown", 401, Some(340_018)),
        ("malformed", 401, Some(340_016)),
        ("forbidden", 403, None),
    ] {
        astra.knobs(json!({"expired_reply": knob}));
        let got = astra.call_as(&expired, "GET", "/v2/currentOrg", None).await;
        assert_eq!(got.0, status);
        assert_eq!(parsed(&got)["errors"][0]["ID"].as_u64(), id);
    }
}

#[tokio::test]
async fn unknown_knobs_and_wrong_types_change_nothing() {
    let astra = Astra::new().await;
    let before = astra.emulator.knobs();
    for bad in [
        json!({"latency": 1}),
        json!({"latency_ms": "1"}),
        json!([]),
        json!({"latency_ms": 1, "x": 1}),
    ] {
        let error = astra.emulator.set_knobs(bad).unwrap_err().to_string();
        assert!(error.starts_with("bad knobs: "), "{error}");
    }
    assert_eq!(astra.emulator.knobs(), before);
}
