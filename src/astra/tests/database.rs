use super::ORG;
use super::client;
use super::config;
use super::server::Act;
use super::server::Server;
use super::server::json;
use super::soon;
use crate::astra::Error;

const ID: &str = "5a7c0000-0000-4000-8000-000000000001";

fn database() -> String {
    serde_json::json!({
        "id": ID, "orgId": ORG, "ownerId": "x", "status": "ACTIVE", "observedStatus": "ACTIVE",
        "info": {
            "name": "shop", "keyspace": "main", "keyspaces": ["zoo", "main"],
            "additionalKeyspaces": null, "region": "us-east1", "cloudProvider": "GCP",
            "dbType": "vector",
            "datacenters": [
                {"id": format!("{ID}-1"), "region": "us-east1", "cloudProvider": "GCP",
                 "status": "", "secureBundleUrl": "https://signed.example/?sig=s3cr3t"},
                {"id": format!("{ID}-2"), "region": "eu-west1", "cloudProvider": null},
            ],
        },
    })
    .to_string()
}

#[tokio::test]
async fn reads_what_a_client_needs_and_no_signed_links() {
    let server = Server::start(|_, _| json(200, &database())).await;
    let database = client(config(&server.url))
        .database(ID, soon())
        .await
        .unwrap();
    assert_eq!(server.lines(), [format!("GET /v2/databases/{ID}")]);
    assert_eq!(database.id, ID);
    assert_eq!(database.org_id, ORG);
    assert_eq!(
        (database.name.as_str(), database.status.as_str()),
        ("shop", "ACTIVE")
    );
    assert_eq!(database.keyspace, "main");
    assert_eq!(database.keyspaces, ["main", "zoo"]);
    assert!(database.is_vector);
    let regions: Vec<&str> = database
        .datacenters
        .iter()
        .map(|dc| dc.region.as_str())
        .collect();
    assert_eq!(regions, ["us-east1", "eu-west1"]);
    assert!(!format!("{database:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn a_missing_permission_is_told_from_a_dead_token() {
    let server = Server::start(|seen, _| match seen.line.as_str() {
        "GET /v2/currentOrg" => json(200, &format!(r#"{{"id":"{ORG}"}}"#)),
        _ => json(401, "null"),
    })
    .await;
    let error = client(config(&server.url))
        .database(ID, soon())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "forbidden");
    assert!(error.to_string().contains("HTTP 401"), "{error}");
}

/// A page of `count` databases whose ids begin with `prefix`.
fn page(prefix: &str, count: usize) -> Act {
    let list: Vec<_> = (0..count)
        .map(|number| serde_json::json!({"id": format!("{prefix}{number}")}))
        .collect();
    json(200, &serde_json::to_string(&list).unwrap())
}

#[tokio::test]
async fn lists_every_page() {
    for (last, total) in [(3, 203), (0, 200)] {
        let server = Server::start(move |_, number| match number {
            0 => page("a", 100),
            1 => page("b", 100),
            _ => page("c", last),
        })
        .await;
        let all = client(config(&server.url)).databases(soon()).await.unwrap();
        assert_eq!(all.len(), total);
        assert_eq!(
            server.lines(),
            [
                "GET /v2/databases?include=nonterminated&provider=ALL&limit=100",
                "GET /v2/databases?include=nonterminated&provider=ALL&limit=100&starting_after=a99",
                "GET /v2/databases?include=nonterminated&provider=ALL&limit=100&starting_after=b99",
            ]
        );
    }
}

#[tokio::test]
async fn a_page_that_comes_again_ends_the_list() {
    let server = Server::start(|_, _| page("a", 100)).await;
    assert_eq!(
        client(config(&server.url))
            .databases(soon())
            .await
            .unwrap()
            .len(),
        100
    );
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn an_id_that_would_change_the_query_is_refused() {
    let server = Server::start(|_, _| json(200, r#"[{"id":"a&b=c"}]"#)).await;
    let result = client(config(&server.url)).databases(soon()).await;
    assert_eq!(
        result.map(|all| all.len()).map_err(|error| error.kind()),
        Err("malformed")
    );
}

#[tokio::test]
async fn finds_the_bundle_of_the_region() {
    let one =
        r#"{"downloadURL":"https://b.example/1","downloadURLInternal":"https://b.example/i"}"#;
    let named = r#"[{"downloadURL":"https://b.example/1","region":"us-east1"},
                    {"downloadURL":"https://b.example/2","region":"eu-west1"}]"#;
    let by_id = format!(
        r#"[{{"downloadURL":"https://b.example/1","datacenterID":"{ID}-1"}},
            {{"downloadURL":"https://b.example/2","datcenterID":"{ID}-2"}}]"#
    );
    for (body, region, expected) in [
        (one, None, Ok("https://b.example/1")),
        (named, None, Ok("https://b.example/1")),
        (named, Some("eu-west1"), Ok("https://b.example/2")),
        (&by_id, Some("eu-west1"), Ok("https://b.example/2")),
        (named, Some("mars"), Err("malformed")),
        (&by_id, Some("mars"), Err("malformed")),
        (one, Some("us-east1"), Err("malformed")),
        ("[]", None, Err("malformed")),
        ("{}", None, Err("malformed")),
        (r#"{"downloadURL":""}"#, None, Err("malformed")),
    ] {
        let body = body.to_owned();
        let server = Server::start(move |seen, _| match seen.line.starts_with("GET") {
            true => json(200, &database()),
            false => json(200, &body),
        })
        .await;
        let result = client(config(&server.url))
            .secure_bundle_url(ID, region, soon())
            .await;
        let seen = result.as_ref().map(|url| url.expose()).map_err(Error::kind);
        assert_eq!(seen, expected, "{region:?}");
        let all = if region.is_some() { "?all=true" } else { "" };
        assert_eq!(
            server.lines().first(),
            Some(&format!("POST /v2/databases/{ID}/secureBundleURL{all}"))
        );
        assert!(server.seen()[0].body.is_empty());
    }
}

#[tokio::test]
async fn a_database_that_is_not_ready_is_a_conflict() {
    let server = Server::start(|_, _| json(409, "\"resuming\"")).await;
    let result = client(config(&server.url))
        .secure_bundle_url(ID, None, soon())
        .await;
    assert_eq!(result.err().map(|error| error.kind()), Some("conflict"));
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let server = Server::start(|_, number| {
        let name = "x".repeat(40 << 10);
        let page: Vec<String> = (0..100)
            .map(|index| format!(r#"{{"id":"db-{number}-{index}","info":{{"name":"{name}"}}}}"#))
            .collect();
        json(200, &format!("[{}]", page.join(",")))
    })
    .await;
    let error = client(config(&server.url))
        .databases(soon())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "too-large", "{error}");
    // Four pages of 4 MiB fit.
    assert_eq!(server.lines().len(), 5);
}
