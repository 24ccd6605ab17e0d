//! Deviations in headers, queries and bodies.

use astra_emulator::Options;
use astra_emulator::Profile;
use serde_json::json;

use crate::harness::*;

const GOOD: &str = "accept: application/json\r\nuser-agent: raw/1\r\nconnection: close\r\n";

async fn status(astra: &Astra, line: &str, headers: &str, body: &str) -> String {
    let (text, end) = astra.raw(&astra.raw_request(line, headers, body)).await;
    assert_eq!(end, None, "{text}");
    text.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn deviations_are_refused_and_recorded() {
    let astra = Astra::new().await;
    let id = astra.mint().await["clientId"].as_str().unwrap().to_owned();
    let post = "POST /v2/clientIdSecrets";
    let delete = format!("DELETE /v2/clientIdSecrets/{id}");
    let body = json!({"roles": [API_RO_USER]}).to_string();
    let length = format!("content-length: {}\r\n", body.len());
    for (line, headers, body, rule) in [
        (
            "GET /v2/currentOrg",
            "accept: */*\r\nconnection: close\r\n".to_owned(),
            "",
            "user_agent",
        ),
        (
            "GET /v2/currentOrg",
            "user-agent: x\r\nconnection: close\r\n".to_owned(),
            "",
            "accept",
        ),
        (
            "GET /v2/currentOrg",
            "user-agent: x\r\naccept: text/html\r\nconnection: close\r\n".to_owned(),
            "",
            "accept",
        ),
        (
            "GET /v2/clientIdSecrets?limit=1",
            GOOD.to_owned(),
            "",
            "query",
        ),
        ("GET /v2/organizations/roles?", GOOD.to_owned(), "", "query"),
        (
            "GET /v2/currentOrg",
            format!("{GOOD}content-length: 2\r\n"),
            "{}",
            "body",
        ),
        (
            &delete,
            format!("{GOOD}content-length: 2\r\n"),
            "{}",
            "body",
        ),
        (post, format!("{GOOD}{length}"), &body, "content_type"),
        (
            post,
            format!("{GOOD}{length}content-type: text/plain\r\n"),
            &body,
            "content_type",
        ),
        (
            post,
            format!("{GOOD}content-type: application/json\r\ncontent-length: 3\r\n"),
            "{\"r",
            "json",
        ),
    ] {
        astra.emulator.clear_violations();
        assert_eq!(
            status(&astra, line, &headers, body).await,
            "400",
            "{line} {headers}"
        );
        assert_eq!(astra.violations(), [rule], "{line} {headers}");
    }
    assert_eq!(astra.emulator.live_tokens().len(), 1);
}

#[tokio::test]
async fn credentials_in_the_wrong_form_are_recorded() {
    let astra = Astra::new().await;
    let token = astra.emulator.root_token();
    for value in [
        format!("Basic {token}"),
        token.clone(),
        format!("bearer {token}"),
    ] {
        let request = astra
            .request("GET", "/v2/currentOrg")
            .header("authorization", value);
        assert_eq!(got(request.send().await.unwrap()).await.0, 401);
    }
    assert_eq!(astra.violations(), ["authorization"; 3]);
}

#[tokio::test]
async fn what_is_not_http_1_1_is_recorded() {
    let astra = Astra::new().await;
    let (_, _) = astra.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let (text, _) = astra
        .raw(
            &astra
                .raw_request("GET /v2/currentOrg", GOOD, "")
                .replace("HTTP/1.1", "HTTP/1.0"),
        )
        .await;
    assert!(text.contains(" 400 "), "{text}");
    assert_eq!(astra.violations(), ["http", "http_version"]);
}

#[tokio::test]
async fn the_field_profile_is_lenient() {
    let options = Options {
        profile: Profile::Field,
        ..Options::default()
    };
    let astra = Astra::with(options).await;
    let body = json!({"roles": [API_RO_USER], "name": "x"}).to_string();
    let headers = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
    assert_eq!(
        status(&astra, "POST /v2/clientIdSecrets", &headers, &body).await,
        "200"
    );
    assert_eq!(
        status(
            &astra,
            "GET /v2/currentOrg?x=1",
            "connection: close\r\n",
            ""
        )
        .await,
        "200"
    );
    assert!(astra.emulator.violations().is_empty());
    // What makes no sense is still refused.
    assert_eq!(astra.create(json!({"roles": []})).await.0, 400);
}

#[tokio::test]
async fn the_access_list_is_checked_after_authentication() {
    let astra = Astra::new().await;
    let org = astra.emulator.seeds().organizations[0].id.clone();
    let deny = Some(vec!["10.0.0.0/8".to_owned()]);
    astra.emulator.edit_org(&org, deny, None).unwrap();
    assert_eq!(astra.get("/v2/currentOrg").await.0, 403);
    assert_eq!(astra.get("/v2/databases").await.0, 403);
    assert_eq!(
        astra.call_as("x", "GET", "/v2/currentOrg", None).await.0,
        401
    );
    let allow = Some(vec!["127.0.0.0/8".to_owned()]);
    astra.emulator.edit_org(&org, allow, None).unwrap();
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    assert!(
        astra
            .emulator
            .edit_org(&org, Some(vec!["x".into()]), None)
            .is_err()
    );
}
