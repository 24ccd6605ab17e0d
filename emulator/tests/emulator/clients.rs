//! What shipped clients send and read: Java SDK, Astra CLI, Terraform provider, astrapy.

use astra_emulator::Options;
use astra_emulator::Profile;
use astra_emulator::RuleSource;
use serde_json::Value;
use serde_json::json;

use crate::harness::*;

async fn field() -> Astra {
    let profile = Profile::Field;
    Astra::with(Options {
        profile,
        ..Options::default()
    })
    .await
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The Terraform provider reads `storage`, the Java SDK's live test `metrics`, both without a check.
#[tokio::test]
async fn a_database_has_all_recorded_members() {
    let astra = Astra::new().await;
    let list = parsed(&astra.get("/v2/databases").await);
    let mut recorded = vec![
        "id",
        "orgId",
        "ownerId",
        "info",
        "creationTime",
        "terminationTime",
        "status",
        "storage",
        "metrics",
        "cost",
        "availableActions",
        "studioUrl",
        "grafanaUrl",
        "cqlshUrl",
        "graphqlUrl",
        "dataEndpointUrl",
        "lastUsageTime",
        "observedStatus",
    ];
    recorded.sort_unstable();
    let mut datacenter = vec![
        "id",
        "name",
        "status",
        "tier",
        "cloudProvider",
        "region",
        "regionZone",
        "regionClassification",
        "capacityUnits",
        "secureBundleUrl",
        "secureBundleInternalUrl",
        "secureBundleMigrationProxyUrl",
        "secureBundleMigrationProxyInternalUrl",
        "dateCreated",
    ];
    datacenter.sort_unstable();
    for database in list.as_array().unwrap() {
        assert_eq!(keys(database), recorded);
        let id = database["id"].as_str().unwrap();
        let one = parsed(&astra.get(&format!("/v2/databases/{id}")).await);
        assert_eq!(keys(&one), recorded);
        assert_eq!(
            keys(&database["storage"]),
            [
                "nodeCount",
                "replicationFactor",
                "totalStorage",
                "usedStorage"
            ]
        );
        assert_eq!(keys(&database["metrics"]).len(), 4);
        assert_eq!(keys(&database["cost"]).len(), 15);
        assert!(
            keys(&database["cost"])
                .iter()
                .all(|name| name.starts_with("costPer"))
        );
        assert!(database["cost"]["costPerMonthMRCents"].is_number());
        for own in database["info"]["datacenters"].as_array().unwrap() {
            assert_eq!(keys(own), datacenter);
        }
    }
    let zones = |index: usize| -> Vec<&str> {
        let all = list[index]["info"]["datacenters"].as_array().unwrap();
        all.iter()
            .map(|own| own["regionZone"].as_str().unwrap())
            .collect()
    };
    assert_eq!((zones(0), zones(1)), (vec!["na", "emea"], vec!["apac"]));
}

/// The first query is the Java SDK's default, the second one the Astra CLI's.
#[tokio::test]
async fn queries_of_shipped_clients_are_answered_in_the_field_profile() {
    const QUERIES: [&str; 4] = [
        "include=non_terminated&provider=all&limit=100",
        "include=non_terminated&provider=all&limit=1000",
        "provider=Azure",
        "provider=gcp&include=hibernated",
    ];
    let astra = field().await;
    let mut counts = Vec::new();
    for query in QUERIES {
        let got = astra.get(&format!("/v2/databases?{query}")).await;
        assert_eq!(got.0, 200, "{query}");
        counts.push(parsed(&got).as_array().unwrap().len());
    }
    assert_eq!(counts, [2, 2, 0, 1]);
    assert!(astra.emulator.violations().is_empty());
    assert_eq!(astra.get("/v2/databases?limit=0").await.0, 400);
    let strict = Astra::new().await;
    for query in QUERIES {
        let got = strict.get(&format!("/v2/databases?{query}")).await;
        assert_eq!(got.0, 400, "{query}");
        // Not a string: the Go client cannot decode one here.
        assert!(parsed(&got)["errors"][0]["message"].is_string());
    }
}

#[tokio::test]
async fn a_malformed_id_is_404_in_the_field_profile() {
    let astra = field().await;
    for path in [
        "/v2/databases/invalid",
        "/v2/databases/invalid/datacenters",
        "/v2/organizations/roles/invalid",
    ] {
        assert_eq!(astra.get(path).await.0, 404, "{path}");
    }
    assert_eq!(
        astra.violations(),
        ["database_id", "database_id", "role_id"]
    );
    let strict = Astra::new().await;
    assert_eq!(strict.get("/v2/databases/invalid").await.0, 400);
    assert_eq!(strict.get("/v2/organizations/roles/invalid").await.0, 400);
}

#[tokio::test]
async fn refusals_have_the_shape_of_their_operation() {
    let astra = Astra::new().await;
    let reader = astra.seed("read_only");
    let body = json!({"roles": [API_RO_USER]});
    let role = json!({"name": "x", "policy": {}});
    let calls = [
        ("GET", "/v2/clientIdSecrets", None, true),
        (
            "DELETE",
            "/v2/clientIdSecrets/FakeClientIdForDocsOnlyA",
            None,
            true,
        ),
        ("POST", "/v2/clientIdSecrets", Some(body), false),
        ("POST", "/v2/organizations/roles", Some(role), false),
    ];
    for status in [403, 401] {
        astra.knobs(json!({"iam_forbidden_status": status}));
        for (method, path, body, errors) in &calls {
            let got = astra.call_as(&reader, method, path, body.clone()).await;
            assert_eq!(got.0, status, "{method} {path}");
            assert_eq!(
                parsed(&got)["errors"].is_array(),
                *errors,
                "{method} {path}"
            );
            assert_eq!(parsed(&got).is_string(), !errors, "{method} {path}");
        }
    }
    assert!(
        astra
            .emulator
            .set_knobs(json!({"iam_forbidden_status": 404}))
            .is_err()
    );
    // Databases answer errors objects whatever the knob says about the other services.
    astra.knobs(json!({"iam_errors": "string"}));
    let got = astra.get("/v2/databases?limit=0").await;
    assert!(parsed(&got)["errors"].is_array());
}

#[tokio::test]
async fn the_rules_of_the_emulator_itself_are_called_so() {
    let astra = Astra::new().await;
    let root = astra.emulator.root_token();
    // As the Terraform provider calls: without Accept.
    let url = format!("{}/v2/currentOrg", astra.emulator.url());
    let response = astra
        .http
        .get(url)
        .header("accept", "")
        .bearer_auth(&root)
        .send()
        .await;
    assert_eq!(response.unwrap().status(), 400);
    astra.create(json!({"roles": [API_RO_USER], "x": 1})).await;
    astra.create(json!({"roles": []})).await;
    let found: Vec<(&str, RuleSource)> = astra
        .emulator
        .violations()
        .iter()
        .map(|violation| (violation.rule, violation.source))
        .collect();
    assert_eq!(
        found,
        [
            ("accept", RuleSource::Emulator),
            ("unknown_field", RuleSource::Emulator),
            ("roles", RuleSource::Api)
        ]
    );
}

#[tokio::test]
async fn built_in_roles_have_the_permissions_of_today() {
    let astra = Astra::new().await;
    let with = |action: &str| -> Vec<String> {
        let roles = astra.emulator.roles(None).unwrap();
        let with = roles
            .into_iter()
            .filter(|role| role.policy.actions.iter().any(|own| own == action));
        with.map(|role| role.name).collect()
    };
    assert_eq!(
        with("org-integrations-read"),
        ["Organization Administrator"]
    );
    assert_eq!(
        with("org-integrations-write"),
        ["Organization Administrator"]
    );
    assert_eq!(
        with("db-data-import"),
        ["Admin User", "Organization Administrator"]
    );
}

#[tokio::test]
async fn serverless_regions() {
    let astra = Astra::new().await;
    let path = "/v2/regions/serverless";
    let count = |got: &Got| parsed(got).as_array().unwrap().len();
    let serverless = astra.get(path).await;
    assert_eq!(serverless.0, 200);
    let list = parsed(&serverless);
    assert_eq!(
        keys(&list[0]),
        [
            "classification",
            "cloudProvider",
            "displayName",
            "enabled",
            "name",
            "region_type",
            "reservedForQualifiedUsers",
            "zone"
        ]
    );
    let vector = astra.get(&format!("{path}?region-type=vector")).await;
    let all = astra
        .get(&format!("{path}?region-type=all&filter-by-org=enabled"))
        .await;
    assert!(count(&serverless) > 0 && count(&vector) > 0);
    assert_eq!(count(&all), count(&serverless) + count(&vector));
    assert!(astra.emulator.violations().is_empty());
    assert_eq!(astra.get(&format!("{path}?region-type=x")).await.0, 400);
    let got = astra
        .call_as(&astra.seed("read_only"), "GET", path, None)
        .await;
    assert_eq!(got, (401, "null".to_owned()));
}
