//! The control API by HTTP.

use serde_json::Value;
use serde_json::json;

use astra_emulator::Options;

use crate::harness::*;

async fn control(astra: &Astra, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let url = format!("{}/control/{path}", astra.emulator.control_url());
    let request = astra.http.request(method, url);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let got = got(request.send().await.unwrap()).await;
    (got.0, parsed(&got))
}

async fn good(astra: &Astra, method: &str, path: &str, body: Option<Value>) -> Value {
    let (status, value) = control(astra, method, path, body).await;
    assert_eq!(status, 200, "{method} {path}: {value}");
    value
}

#[tokio::test]
async fn knobs_faults_and_clock() {
    let astra = Astra::new().await;
    let knobs = good(&astra, "PUT", "knobs", Some(json!({"create_status": 201}))).await;
    assert_eq!(knobs["create_status"], 201);
    assert_eq!(good(&astra, "GET", "knobs", None).await, knobs);
    let rule = json!({"match": {"path": "/v2/currentOrg"},
                      "fault": {"kind": "status", "status": 500}, "times": 2});
    let id = good(&astra, "POST", "faults", Some(rule)).await["id"]
        .as_u64()
        .unwrap();
    assert_eq!(astra.get("/v2/currentOrg").await.0, 500);
    let rules = good(&astra, "GET", "faults", None).await;
    assert_eq!(rules[0]["id"], id);
    assert_eq!(rules[0]["fired"], 1);
    good(&astra, "DELETE", &format!("faults/{id}"), None).await;
    assert_eq!(
        control(&astra, "DELETE", &format!("faults/{id}"), None)
            .await
            .0,
        404
    );
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    good(
        &astra,
        "POST",
        "faults",
        Some(json!({"fault": {"kind": "hang"}})),
    )
    .await;
    good(&astra, "DELETE", "faults", None).await;
    assert_eq!(good(&astra, "GET", "faults", None).await, json!([]));

    let before = astra.emulator.now();
    good(&astra, "POST", "clock", Some(json!({"advance_s": 1.5}))).await;
    assert!(astra.emulator.now() - before >= time::Duration::milliseconds(1500));
    let set = json!({"set": "2030-01-01T00:00:00Z"});
    let now = good(&astra, "POST", "clock", Some(set)).await;
    assert!(
        now["now"]
            .as_str()
            .unwrap()
            .starts_with("2030-01-01T00:00:0")
    );
    assert!(good(&astra, "GET", "clock", None).await["now"].is_string());
    assert_eq!(
        control(&astra, "POST", "clock", Some(json!({"advance_s": -1})))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn changes_by_hand() {
    let astra = Astra::new().await;
    let new = json!({"role": "API RO User", "description": "by hand"});
    let token = good(&astra, "POST", "tokens", Some(new)).await;
    let (text, id) = (
        token["token"].as_str().unwrap(),
        token["client_id"].as_str().unwrap(),
    );
    assert!(astra.works(text).await);
    assert_eq!(token["roles"], json!([API_RO_USER]));
    let expired = json!({"role": ORG_ADMIN, "expiry": "2000-01-01T00:00:00Z"});
    let expired = good(&astra, "POST", "tokens", Some(expired)).await;
    assert!(!astra.works(expired["token"].as_str().unwrap()).await);
    good(&astra, "POST", &format!("tokens/{id}/revoke"), None).await;
    assert!(!astra.works(text).await);
    assert_eq!(
        control(&astra, "POST", &format!("tokens/{id}/revoke"), None)
            .await
            .0,
        404
    );
    let minted = astra.mint().await;
    let id = minted["clientId"].as_str().unwrap();
    good(&astra, "POST", &format!("tokens/{id}/expire"), None).await;
    assert!(!astra.works(minted["token"].as_str().unwrap()).await);
    let deleted = good(&astra, "GET", "tokens?state=deleted", None).await;
    assert_eq!(deleted.as_array().unwrap().len(), 2);
    assert_eq!(control(&astra, "GET", "tokens?state=x", None).await.0, 400);

    let policy = json!({"description": "", "resources": [], "actions": [], "effect": "allow"});
    let role = json!({"name": "made", "policy": policy});
    let role = good(&astra, "POST", "roles", Some(role)).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut changed = policy.clone();
    changed["actions"] = json!(["db-cql"]);
    let path = format!("roles/{role}");
    let edited = good(&astra, "POST", &path, Some(json!({"policy": changed}))).await;
    assert_eq!(edited["policy"]["actions"], json!(["db-cql"]));
    assert_eq!(control(&astra, "POST", &path, Some(json!({}))).await.0, 400);
    good(&astra, "POST", &path, Some(json!({"delete": true}))).await;
    assert_eq!(
        control(&astra, "POST", &path, Some(json!({"delete": true})))
            .await
            .0,
        404
    );

    let org = good(&astra, "POST", "orgs", Some(json!({"name": "Fourth"}))).await;
    assert!(astra.works(org["root_token"].as_str().unwrap()).await);
    let path = format!("orgs/{}", org["id"].as_str().unwrap());
    good(
        &astra,
        "POST",
        &path,
        Some(json!({"devops_acl": ["10.0.0.0/8"]})),
    )
    .await;
    let got = astra.call_as(
        org["root_token"].as_str().unwrap(),
        "GET",
        "/v2/currentOrg",
        None,
    );
    assert_eq!(got.await.0, 403);
    good(
        &astra,
        "POST",
        &path,
        Some(json!({"max_token_expiry_s": null})),
    )
    .await;

    let database = astra.emulator.seeds().databases["vector_db"].id.clone();
    let path = format!("databases/{database}");
    good(
        &astra,
        "POST",
        &path,
        Some(json!({"status": "MAINTENANCE"})),
    )
    .await;
    let path = format!("/v2/databases/{database}");
    assert_eq!(parsed(&astra.get(&path).await)["status"], "MAINTENANCE");
}

#[tokio::test]
async fn many_tokens_by_hand() {
    let astra = Astra::new().await;
    let org = astra.emulator.seeds().organizations[1].clone();
    let listed = async || {
        let got = astra.call_as(&org.root_token, "GET", "/v2/clientIdSecrets", None);
        parsed(&got.await)["clients"].as_array().unwrap().clone()
    };
    let before = listed().await.len();
    let token = json!({"role": "API RO User", "org_id": org.id, "expiry": "2999-01-01T00:00:00Z",
                       "description": "vault:{hex}:{n}"});
    // More than are made under one lock.
    let made = json!({"count": 1_002, "token": token});
    let answer = good(&astra, "POST", "tokens/bulk", Some(made)).await;
    assert_eq!(answer["made"], 1_002);
    let all = listed().await;
    assert_eq!(all.len(), before + 1_002);
    let ids: std::collections::HashSet<&str> = all
        .iter()
        .map(|token| token["clientId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), all.len(), "each has an id of its own");
    let last = all.last().unwrap();
    assert_eq!(last["description"], "vault:0000000003e9:1001");
    assert_eq!(last["roles"], json!([API_RO_USER]));
    // It is counted from now, in whole seconds.
    assert!(last["tokenExpiry"].as_str().unwrap().starts_with("299"));
    // They are no tokens that a client minted.
    assert_eq!(astra.emulator.invariants().minted, 0);

    let mut refused = vec![
        json!({"count": 0, "token": token}),
        json!({"count": 1_000_001, "token": token}),
        json!({"count": -1, "token": token}),
        json!({"count": 1, "token": token, "more": 1}),
        json!({"count": 1}),
        json!({"count": 1, "token": {"role": "API RO User", "expiry": "soon"}}),
    ];
    for description in ["{", "{x}", "n}", "{n", "{N}", "{{n}"] {
        refused.push(json!({"count": 1, "token": {"description": description}}));
    }
    for body in refused {
        let (status, answer) = control(&astra, "POST", "tokens/bulk", Some(body.clone())).await;
        assert_eq!(status, 400, "{body}: {answer}");
    }
    let unknown = json!({"count": 1, "token": {"org_id": "none"}});
    let (status, _) = control(&astra, "POST", "tokens/bulk", Some(unknown)).await;
    assert_eq!(status, 404);
    assert_eq!(listed().await.len(), before + 1_002);
}

#[tokio::test]
async fn journal_invariants_and_wait() {
    let astra = Astra::new().await;
    astra.mint().await;
    astra.request("GET", "/nope").send().await.unwrap();
    let journal = good(&astra, "GET", "journal", None).await;
    let entry = &journal[0];
    assert_eq!(entry["method"], "POST");
    assert_eq!(entry["status"], 200);
    assert_eq!(entry["committed"], true);
    assert!(entry["client_id_of_caller"].is_string() && entry["client_id_of_subject"].is_string());
    let text = journal.to_string();
    let root = astra.emulator.root_token();
    assert!(
        !text.contains(root.rsplit_once(':').unwrap().1),
        "no secret in the journal"
    );
    assert!(text.contains("[redacted]"));
    let rest = good(&astra, "GET", "journal?since=1", None).await;
    assert_eq!(rest.as_array().unwrap().len(), 1);
    assert_eq!(
        good(&astra, "GET", "violations", None).await[0]["rule"],
        "unknown_path"
    );
    good(&astra, "DELETE", "violations", None).await;
    good(&astra, "DELETE", "journal", None).await;
    assert_eq!(good(&astra, "GET", "journal", None).await, json!([]));

    let wait = json!({"token_count": 1, "journal_len": 2, "orphans": 0, "timeout_ms": 5000});
    let waited = good(&astra, "POST", "wait", Some(wait)).await;
    assert_eq!(waited["reached"], true);
    let wait = json!({"token_count": 7, "timeout_ms": 20});
    assert_eq!(
        good(&astra, "POST", "wait", Some(wait)).await["reached"],
        false
    );
    assert_eq!(
        control(&astra, "POST", "wait", Some(json!({"x": 1})))
            .await
            .0,
        400
    );
    let found = good(&astra, "GET", "invariants", None).await;
    assert_eq!(
        (&found["live_tokens"], &found["orphans"]),
        (&json!(1), &json!(0))
    );
    let stats = good(&astra, "GET", "stats", None).await;
    assert_eq!(stats["max_concurrency_seen"], 1);
    good(&astra, "DELETE", "stats", None).await;
}

#[tokio::test]
async fn secrets_show_only_when_asked_for() {
    let astra = Astra::new().await;
    let state = good(&astra, "GET", "state", None).await;
    assert!(!state.to_string().contains("AstraCS:"));
    assert_eq!(state["organizations"].as_array().unwrap().len(), 3);
    assert_eq!(state["roles"].as_array().unwrap().len(), 19);
    assert_eq!(state["databases"].as_array().unwrap().len(), 2);
    let options = Options {
        show_secrets: true,
        ..Options::default()
    };
    let astra = Astra::with(options).await;
    let state = good(&astra, "GET", "state", None).await;
    assert_eq!(state["tokens"][0]["token"], astra.emulator.root_token());
}

#[tokio::test]
async fn reset_snapshot_and_restore() {
    let astra = Astra::new().await;
    let root = astra.emulator.root_token();
    let snapshot = good(&astra, "POST", "snapshot", None).await;
    astra.mint().await;
    good(&astra, "POST", "restore", Some(snapshot)).await;
    assert_eq!(astra.emulator.live_tokens(), []);
    assert_eq!(
        control(&astra, "POST", "restore", Some(json!({"id": 9})))
            .await
            .0,
        404
    );

    astra.knobs(json!({"latency_ms": 1}));
    let fixtures = json!({"organizations": ["A", "B"], "portal_tokens": 25});
    let reset = json!({"seed": 2, "profile": "field", "fixtures": fixtures});
    let seeds = good(&astra, "PUT", "reset", Some(reset)).await;
    assert_eq!(seeds["organizations"].as_array().unwrap().len(), 5);
    assert_ne!(astra.emulator.root_token(), root);
    assert_eq!(astra.emulator.knobs().latency_ms, 0);
    assert!(astra.listed().await.len() > 25);
    good(&astra, "PUT", "reset", None).await;
    assert_eq!(
        astra.emulator.root_token(),
        root,
        "the same seed, the same ids"
    );
    assert_eq!(
        control(&astra, "PUT", "reset", Some(json!({"x": 1})))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn unknown_operations_are_404() {
    let astra = Astra::new().await;
    assert_eq!(control(&astra, "GET", "nope", None).await.0, 404);
    assert_eq!(control(&astra, "POST", "knobs", None).await.0, 404);
    assert_eq!(
        control(&astra, "PUT", "knobs", Some(json!({"nope": 1})))
            .await
            .0,
        400
    );
}
