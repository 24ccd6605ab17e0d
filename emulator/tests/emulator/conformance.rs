//! Comparisons with what was recorded of the real service.

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn errors_of_authentication_are_as_recorded() {
    let astra = Astra::new().await;
    let bare = got(astra.request("GET", "/v2/databases").send().await.unwrap()).await;
    assert_eq!(
        bare,
        (
            401,
            r#"{"errors":[{"ID":340002,"message":"no bearer token in request"}]}"#.to_owned()
        )
    );
    let empty = astra
        .request("GET", "/v2/databases")
        .header("authorization", "Bearer ");
    let empty = got(empty.send().await.unwrap()).await;
    assert_eq!(
        empty.1,
        r#"{"errors":[{"ID":340012,"message":"invalid token format"}]}"#
    );
    let malformed = astra
        .call_as("AstraCS:nonsense", "GET", "/v2/databases", None)
        .await;
    assert_eq!(
        malformed,
        (
            401,
            r#"{"errors":[{"ID":340016,"message":"Resource, token, was malformed. Error: auth-manager returned 400 for call %s/v2/admin/tokens?%s"}]}"#
                .to_owned()
        )
    );
    let unknown = "AstraCS:FakeClientIdForDocsOnlyA:6dc07f2654d4bffaa8a873bae0b19da83313069afafac43f2d0ba8c96067d8ec";
    let unknown = astra.call_as(unknown, "GET", "/v2/databases", None).await;
    assert_eq!(
        unknown,
        (
            401,
            r#"{"errors":[{"ID":340018,"message":"Resource not found: token with identifier: auth-manager returned 404 for call %s/v2/admin/tokens?%s"}]}"#
                .to_owned()
        )
    );
}

#[tokio::test]
async fn expired_and_deleted_tokens_are_unknown() {
    let astra = Astra::new().await;
    for name in ["expired", "deleted"] {
        let got = astra
            .call_as(&astra.seed(name), "GET", "/v2/currentOrg", None)
            .await;
        assert_eq!(got.0, 401);
        assert_eq!(parsed(&got)["errors"][0]["ID"], 340_018);
    }
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn unknown_paths_are_answered_before_authentication() {
    let astra = Astra::new().await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v2"),
        ("GET", "/v2/currentOrg/"),
        ("PUT", "/v2/databases"),
        ("DELETE", "/v2/clientIdSecrets"),
        ("GET", "/v2/clientIdSecrets/FakeClientIdForDocsOnlyA"),
        ("PATCH", "/v2/organizations/roles"),
        ("GET", "/control/state"),
    ] {
        let response = astra.request(method, path).send().await.unwrap();
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; charset=utf-8"
        );
        assert_eq!(
            got(response).await,
            (404, "404 page not found\n".to_owned()),
            "{path}"
        );
    }
    assert_eq!(astra.violations(), ["unknown_path"; 8]);
}

#[tokio::test]
async fn headers_are_as_recorded() {
    let astra = Astra::new().await;
    let raw = astra.raw_request(
        "GET /v2/currentOrg",
        "accept: */*\r\nuser-agent: raw/1\r\nconnection: close\r\n",
        "",
    );
    let (text, end) = astra.raw(&raw).await;
    assert_eq!(end, None);
    let head = text.split_once("\r\n\r\n").unwrap().0;
    let names: Vec<&str> = head
        .lines()
        .skip(1)
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(
        names,
        [
            "content-type",
            "date",
            "server",
            "strict-transport-security",
            "x-envoy-upstream-service-time",
            "content-length",
            "connection"
        ]
    );
    assert!(head.contains("content-type: application/json; charset=UTF-8\r\n"));
    assert!(head.contains("server: istio-envoy\r\n"));
    assert!(head.contains("strict-transport-security: max-age=63072000; include-subdomains\r\n"));
    assert!(head.contains(" GMT\r\n"));
}

#[tokio::test]
async fn roles_are_as_recorded() {
    let astra = Astra::new().await;
    let got = astra.get("/v2/organizations/roles").await;
    assert_eq!(got.0, 200);
    let first = concat!(
        r#"[{"id":"b4ed0e9e-67e8-47b6-8b58-c6629be961a9","name":"R/W Svc Acct","#,
        r#""policy":{"description":"R/W Svc Acct","resources":["drn:astra:org:__ORG_ID__","#,
        r#""drn:astra:org:__ORG_ID__:db:*","drn:astra:org:__ORG_ID__:db:*:keyspace:*","#,
        r#""drn:astra:org:__ORG_ID__:db:*:keyspace:*:table:*"],"actions":["accesslist-read","#,
        r#""db-all-keyspace-describe","db-keyspace-describe","db-table-select","#,
        r#""db-table-modify","db-table-describe","db-graphql","db-rest","db-cql"],"#,
        r#""effect":"allow"},"last_update_date_time":"0001-01-01T00:00:00Z","#,
        r#""last_update_user_id":""},"#,
    );
    assert!(got.1.starts_with(first), "{}", got.1);
    let roles = parsed(&got);
    let names: Vec<&str> = roles
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "R/W Svc Acct",
            "Admin User",
            "API Admin User",
            "Organization Administrator",
            "RO Svc Acct",
            "API RO Svc Acct",
            "API R/W User",
            "API Admin Svc Acct",
            "API R/W Svc Acct",
            "Billing Admin",
            "API RO User",
            "Database Administrator",
            "R/W User",
            "RO User",
            "UI View Only",
            "Admin Svc Acct",
            "App Reader",
            "Nothing",
            "Token Writer"
        ]
    );
    // Only these two hold token permissions.
    let may: Vec<&str> = roles
        .as_array()
        .unwrap()
        .iter()
        .filter(|role| {
            role["policy"]["actions"]
                .as_array()
                .unwrap()
                .contains(&json!("org-token-read"))
        })
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        may,
        ["Organization Administrator", "Database Administrator"]
    );
}

#[tokio::test]
async fn users_are_in_pascal_case() {
    let astra = Astra::new().await;
    let got = astra.get("/v2/organizations/users").await;
    assert_eq!(got.0, 200);
    let org = &astra.emulator.seeds().organizations[0];
    let start = format!(
        r#"{{"OrgID":"{}","OrgName":"{}","Users":[{{"UserID":""#,
        org.id, org.name
    );
    assert!(got.1.starts_with(&start), "{}", got.1);
    let users = parsed(&got);
    assert_eq!(users["Users"][0]["Status"], "active");
    assert_eq!(
        users["Users"][0]["Roles"],
        json!([{"ID": ORG_ADMIN, "Name": "Organization Administrator"}])
    );
}

#[tokio::test]
async fn a_page_past_the_end_is_an_empty_array() {
    let astra = Astra::new().await;
    let list = parsed(&astra.get("/v2/databases?limit=100").await);
    let last = list.as_array().unwrap().last().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = astra
        .get(&format!("/v2/databases?limit=100&starting_after={last}"))
        .await;
    assert_eq!(got, (200, "[]".to_owned()));
}

#[tokio::test]
async fn current_org_is_the_id_alone() {
    let astra = Astra::new().await;
    let org = astra.emulator.seeds().organizations[0].id.clone();
    for name in [
        "org_admin",
        "db_admin",
        "token_writer",
        "read_only",
        "portal_1",
        "portal_named",
    ] {
        let got = astra
            .call_as(&astra.seed(name), "GET", "/v2/currentOrg", None)
            .await;
        assert_eq!(got, (200, format!(r#"{{"id":"{org}"}}"#)), "{name}");
    }
}
