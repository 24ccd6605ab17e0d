//! `/v2/clientIdSecrets` and `/v2/tokens`.

use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::harness::*;

#[tokio::test]
async fn a_token_has_the_documented_form() {
    let astra = Astra::new().await;
    let got = astra
        .create(
            json!({"roles": [API_RO_USER, RW_USER], "description": "app",
                       "tokenExpiry": "2100-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(got.0, 200);
    let token = parsed(&got);
    let (client_id, secret) = (
        token["clientId"].as_str().unwrap(),
        token["secret"].as_str().unwrap(),
    );
    assert_eq!(client_id.len(), 24);
    assert!(client_id.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_eq!(secret.len(), 128);
    let hash: String = Sha256::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = token["token"].as_str().unwrap();
    assert_eq!(text, format!("AstraCS:{client_id}:{hash}"));
    assert_eq!(text.len(), 97);
    assert_eq!(token["roles"], json!([API_RO_USER, RW_USER]));
    assert_eq!(token["description"], "app");
    assert_eq!(token["tokenExpiry"], "2100-01-01T00:00:00Z");
    assert_eq!(
        token["orgId"],
        astra.emulator.seeds().organizations[0].id.as_str()
    );
    assert!(token["generatedOn"].as_str().unwrap().ends_with('Z'));
    assert!(got.1.starts_with(r#"{"clientId":"#));
    assert!(astra.works(text).await);
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn optional_fields_may_be_absent() {
    let astra = Astra::new().await;
    let token = astra.mint().await;
    assert_eq!(token["description"], "");
    assert_eq!(token.get("tokenExpiry"), None);
}

#[tokio::test]
async fn bad_creates_are_refused_and_recorded() {
    let astra = Astra::new().await;
    for (body, rule) in [
        (json!([]), "json"),
        (json!({}), "roles"),
        (json!({"roles": []}), "roles"),
        (json!({"roles": API_RO_USER}), "roles"),
        (json!({"roles": [1]}), "roles"),
        (json!({"roles": ["API RO User"]}), "roles"),
        (json!({"roles": [API_RO_USER.to_uppercase()]}), "roles"),
        (json!({"roles": [API_RO_USER, API_RO_USER]}), "roles"),
        (
            json!({"roles": [API_RO_USER], "description": null}),
            "description",
        ),
        (
            json!({"roles": [API_RO_USER], "tokenExpiry": null}),
            "token_expiry",
        ),
        (
            json!({"roles": [API_RO_USER], "tokenExpiry": "tomorrow"}),
            "token_expiry",
        ),
        (
            json!({"roles": [API_RO_USER], "tokenExpiry": "2000-01-01T00:00:00Z"}),
            "token_expiry",
        ),
        (
            json!({"roles": [API_RO_USER], "tokenExpiry": "2100-01-01T00:00:00+01:00"}),
            "token_expiry",
        ),
        (
            json!({"roles": [API_RO_USER], "name": "x"}),
            "unknown_field",
        ),
        (json!({"roles": [API_RO_USER], "orgId": "x"}), "org_id"),
    ] {
        astra.emulator.clear_violations();
        let got = astra.create(body.clone()).await;
        assert_eq!(got.0, 400, "{body}");
        assert!(parsed(&got).is_string(), "{}", got.1);
        assert_eq!(astra.violations(), [rule], "{body}");
    }
    assert_eq!(astra.emulator.invariants().minted, 0);
}

#[tokio::test]
async fn unknown_roles_and_the_ceiling_are_no_violations() {
    let astra = Astra::new().await;
    let unknown = astra.create(json!({"roles": [UNKNOWN_ROLE]})).await;
    assert_eq!(unknown.0, 404);
    assert!(parsed(&unknown).is_string());
    // Only org-token-write: may mint, but nothing that reads data.
    let writer = astra.seed("token_writer");
    let body = json!({"roles": [API_RO_USER]});
    let got = astra
        .call_as(&writer, "POST", "/v2/clientIdSecrets", Some(body))
        .await;
    assert_eq!(got.0, 403);
    let own = json!({"roles": [astra.emulator.seeds().roles["Token Writer"]]});
    let got = astra
        .call_as(&writer, "POST", "/v2/clientIdSecrets", Some(own))
        .await;
    assert_eq!(got.0, 200);
    // A database administrator cannot make an organization administrator.
    let body = json!({"roles": [ORG_ADMIN]});
    let got = astra
        .call_as(&astra.seed("db_admin"), "POST", "/v2/tokens", Some(body))
        .await;
    assert_eq!(got.0, 403);
    let body = json!({"roles": [API_RO_USER]});
    let got = astra
        .call_as(&astra.seed("db_admin"), "POST", "/v2/tokens", Some(body))
        .await;
    assert_eq!(got.0, 200);
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn permissions_are_needed() {
    let astra = Astra::new().await;
    let reader = astra.seed("read_only");
    let victim = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    let path = format!("/v2/clientIdSecrets/{victim}");
    for (method, path, body) in [
        ("GET", "/v2/clientIdSecrets", None),
        ("GET", "/v2/tokens", None),
        (
            "POST",
            "/v2/clientIdSecrets",
            Some(json!({"roles": [API_RO_USER]})),
        ),
        ("DELETE", path.as_str(), None),
    ] {
        let got = astra.call_as(&reader, method, path, body).await;
        assert_eq!(got.0, 403, "{method} {path}");
        assert_eq!(
            parsed(&got).is_string(),
            method == "POST",
            "{method} {path}"
        );
    }
    let got = astra
        .call_as(
            &astra.seed("token_writer"),
            "GET",
            "/v2/clientIdSecrets",
            None,
        )
        .await;
    assert_eq!(got.0, 403);
    assert!(astra.listed().await.contains(&victim));
}

#[tokio::test]
async fn the_list_shows_all_tokens_in_order_without_secrets() {
    let astra = Astra::new().await;
    let minted = astra.mint().await;
    let got = astra.get("/v2/clientIdSecrets").await;
    assert_eq!(got.0, 200);
    assert!(!got.1.contains("AstraCS:") && !got.1.contains("secret"));
    let list = parsed(&got);
    let clients = list["clients"].as_array().unwrap();
    let seeds = astra.emulator.seeds();
    assert_eq!(
        clients[0]["clientId"],
        seeds.tokens["org_admin"].client_id.as_str()
    );
    let last = clients.last().unwrap();
    assert_eq!(last["clientId"], minted["clientId"]);
    assert_eq!(last["tokenExpiry"], Value::Null);
    assert!(last["generatedOn"].as_str().unwrap().len() == "2025-06-17T02:26:29.846Z".len());
    let named = clients
        .iter()
        .find(|entry| entry["clientId"] == seeds.tokens["portal_named"].client_id.as_str())
        .unwrap();
    assert_eq!(named["roles"], json!(["API RO User"]));
    let deleted = seeds.tokens["deleted"].client_id.as_str();
    assert!(clients.iter().all(|entry| entry["clientId"] != deleted));
    assert_eq!(parsed(&astra.get("/v2/tokens").await), list);
}

#[tokio::test]
async fn a_deleted_token_is_gone_and_a_second_delete_is_404() {
    let astra = Astra::new().await;
    let token = astra.mint().await;
    let client_id = token["clientId"].as_str().unwrap();
    assert_eq!(astra.delete(client_id).await, (204, String::new()));
    assert!(!astra.works(token["token"].as_str().unwrap()).await);
    assert!(!astra.listed().await.iter().any(|id| id == client_id));
    let again = astra.delete(client_id).await;
    assert_eq!(again.0, 404);
    assert!(parsed(&again)["errors"][0]["ID"].is_u64());
    assert!(astra.emulator.violations().is_empty());
    let found = astra.emulator.invariants();
    assert_eq!(
        (found.minted, found.deleted, found.deletes_of_unknown),
        (1, 1, 1)
    );
    // The other spelling of the path.
    let token = astra.mint().await;
    let path = format!("/v2/tokens/{}", token["clientId"].as_str().unwrap());
    assert_eq!(astra.call("DELETE", &path, None).await.0, 204);
    assert_eq!(astra.emulator.live_tokens(), []);
}

#[tokio::test]
async fn client_ids_are_case_sensitive() {
    let astra = Astra::new().await;
    let token = astra.mint().await;
    let client_id = token["clientId"].as_str().unwrap();
    assert_eq!(astra.delete(&client_id.to_lowercase()).await.0, 404);
    assert_eq!(astra.violations(), ["client_id"]);
    assert!(astra.works(token["token"].as_str().unwrap()).await);
    assert_eq!(astra.delete("short").await.0, 400);
    assert_eq!(astra.delete("%46akeClientIdForDocsOnl").await.0, 400);
    assert_eq!(astra.call("DELETE", "/v2/tokens", None).await.0, 400);
    assert_eq!(astra.violations(), ["client_id"; 4]);
}

#[tokio::test]
async fn a_token_can_delete_itself() {
    let astra = Astra::new().await;
    let next = parsed(&astra.create(json!({"roles": [ORG_ADMIN]})).await);
    let old = astra.emulator.seeds().tokens["org_admin"].client_id.clone();
    assert_eq!(astra.delete(&old).await.0, 204);
    assert!(!astra.works(&astra.emulator.root_token()).await);
    assert!(astra.works(next["token"].as_str().unwrap()).await);
    assert_eq!(astra.emulator.invariants().foreign_deletes, 1);
}

#[tokio::test]
async fn org_id_reaches_only_as_far_as_the_token() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let orgs: Vec<&str> = seeds
        .organizations
        .iter()
        .map(|org| org.id.as_str())
        .collect();
    let enterprise = astra.seed("enterprise");
    let root = astra.emulator.root_token();
    for (token, org, status) in [
        (&root, orgs[0], 200),
        (&root, orgs[1], 403),
        (&root, orgs[2], 403),
        (&root, "no-uuid", 400),
        (&enterprise, orgs[0], 200),
        (&enterprise, orgs[1], 200),
        (&enterprise, orgs[2], 403),
    ] {
        for path in ["/v2/tokens", "/v2/clientIdSecrets"] {
            let body = json!({"roles": [API_RO_USER], "orgId": org});
            let got = astra.call_as(token, "POST", path, Some(body)).await;
            assert_eq!(got.0, status, "{path} {org}");
            if status == 200 {
                assert_eq!(parsed(&got)["orgId"], org);
            }
        }
    }
}

#[tokio::test]
async fn organizations_are_apart() {
    let astra = Astra::new().await;
    let mine = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    let other = astra.seed("third_org_admin");
    let list = parsed(
        &astra
            .call_as(&other, "GET", "/v2/clientIdSecrets", None)
            .await,
    );
    assert_eq!(list["clients"].as_array().unwrap().len(), 1);
    let path = format!("/v2/clientIdSecrets/{mine}");
    assert_eq!(astra.call_as(&other, "DELETE", &path, None).await.0, 404);
    assert!(astra.listed().await.contains(&mine));
    // A custom role of one organization does not exist in another.
    let role = astra.emulator.seeds().roles["App Reader"].clone();
    let body = Some(json!({"roles": [role]}));
    assert_eq!(
        astra
            .call_as(&other, "POST", "/v2/clientIdSecrets", body)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_token_dies_at_its_expiry() {
    let astra = Astra::new().await;
    let at = astra.emulator.now() + std::time::Duration::from_secs(60);
    let at = at
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let token = parsed(
        &astra
            .create(json!({"roles": [API_RO_USER], "tokenExpiry": at}))
            .await,
    );
    assert!(astra.works(token["token"].as_str().unwrap()).await);
    assert_eq!(astra.emulator.live_tokens().len(), 1);
    astra
        .emulator
        .advance_clock(std::time::Duration::from_secs(61));
    assert!(!astra.works(token["token"].as_str().unwrap()).await);
    assert_eq!(astra.emulator.live_tokens().len(), 0);
}
