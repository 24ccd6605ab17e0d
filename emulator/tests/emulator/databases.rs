//! `/v2/databases`, bundles and the data-plane stub.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::harness::*;

async fn token_with(astra: &Astra, role: &str) -> Value {
    let got = astra.create(json!({"roles": [role]})).await;
    assert_eq!(got.0, 200);
    parsed(&got)
}

#[tokio::test]
async fn the_list_filters_and_pages() {
    let astra = Astra::new().await;
    let all = parsed(&astra.get("/v2/databases").await);
    let names = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|database| database["info"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&all), ["vector_db", "classic_db"]);
    let first = &all[0];
    assert_eq!(first["info"]["dbType"], "vector");
    assert_eq!(first["info"]["datacenters"].as_array().unwrap().len(), 2);
    assert_eq!(first["status"], "ACTIVE");
    assert_eq!(all[1]["observedStatus"], "HIBERNATED");
    let one = parsed(&astra.get("/v2/databases?limit=1").await);
    assert_eq!(names(&one), ["vector_db"]);
    let after = first["id"].as_str().unwrap();
    let rest = parsed(
        &astra
            .get(&format!("/v2/databases?starting_after={after}"))
            .await,
    );
    assert_eq!(names(&rest), ["classic_db"]);
    let some = parsed(
        &astra
            .get("/v2/databases?include=hibernated&provider=GCP")
            .await,
    );
    assert_eq!(names(&some), ["classic_db"]);
    assert_eq!(astra.get("/v2/databases?provider=AWS").await.1, "[]");
    assert!(astra.emulator.violations().is_empty());
    for bad in [
        "limit=0",
        "limit=101",
        "include=x",
        "provider=x",
        "starting_after=x",
        "y=1",
        "starting_after=00000000-0000-4000-8000-000000000000",
    ] {
        assert_eq!(
            astra.get(&format!("/v2/databases?{bad}")).await.0,
            400,
            "{bad}"
        );
    }
    assert_eq!(astra.emulator.violations().len(), 7);
}

#[tokio::test]
async fn a_missing_permission_is_401_null() {
    let astra = Astra::new().await;
    let id = astra.emulator.seeds().databases["vector_db"].id.clone();
    let writer = astra.seed("token_writer");
    for path in [
        "/v2/databases".to_owned(),
        format!("/v2/databases/{id}"),
        format!("/v2/databases/{id}/datacenters"),
    ] {
        let got = astra.call_as(&writer, "GET", &path, None).await;
        assert_eq!(got, (401, "null".to_owned()), "{path}");
    }
    let path = format!("/v2/databases/{id}/secureBundleURL");
    let got = astra
        .call_as(&astra.seed("read_only"), "POST", &path, None)
        .await;
    assert_eq!(got, (401, "null".to_owned()));
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn one_database() {
    let astra = Astra::new().await;
    let id = astra.emulator.seeds().databases["vector_db"].id.clone();
    let got = astra.get(&format!("/v2/databases/{id}")).await;
    assert_eq!(got.0, 200);
    assert_eq!(parsed(&got)["id"], id.as_str());
    let centers = parsed(
        &astra
            .get(&format!("/v2/databases/{id}/datacenters?all=false"))
            .await,
    );
    assert_eq!(centers[0]["id"], format!("{id}-1"));
    assert_eq!(centers[1]["region"], "europe-west1");
    let unknown = astra
        .get("/v2/databases/00000000-0000-4000-8000-000000000000")
        .await;
    assert_eq!(unknown.0, 404);
    assert!(parsed(&unknown)["errors"].is_array());
    assert_eq!(astra.get("/v2/databases/nonsense").await.0, 400);
    // Another organization's database does not exist.
    let other = astra.seed("third_org_admin");
    assert_eq!(
        astra
            .call_as(&other, "GET", &format!("/v2/databases/{id}"), None)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_scoped_role_sees_its_database_only() {
    let astra = Astra::new().await;
    let role = astra.emulator.seeds().roles["App Reader"].clone();
    let token = token_with(&astra, &role).await;
    let token = token["token"].as_str().unwrap();
    let list = parsed(&astra.call_as(token, "GET", "/v2/databases", None).await);
    assert_eq!(list.as_array().unwrap().len(), 1);
    let other = &astra.emulator.seeds().databases["classic_db"].id;
    let got = astra
        .call_as(token, "GET", &format!("/v2/databases/{other}"), None)
        .await;
    assert_eq!(got, (401, "null".to_owned()));
}

#[tokio::test]
async fn bundles() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let path = format!(
        "/v2/databases/{}/secureBundleURL",
        seeds.databases["vector_db"].id
    );
    let one = parsed(&astra.call("POST", &path, None).await);
    for key in [
        "downloadURL",
        "downloadURLInternal",
        "downloadURLMigrationProxy",
        "downloadURLMigrationProxyInternal",
    ] {
        assert!(
            one[key].as_str().unwrap().contains("X-Amz-Expires=300"),
            "{key}"
        );
    }
    let all = parsed(&astra.call("POST", &format!("{path}?all=true"), None).await);
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[1]["region"], "europe-west1");
    assert_eq!(
        astra
            .call("POST", &format!("{path}?all=maybe"), None)
            .await
            .0,
        400
    );
    let sleeping = format!(
        "/v2/databases/{}/secureBundleURL",
        seeds.databases["classic_db"].id
    );
    assert_eq!(astra.call("POST", &sleeping, None).await.0, 409);

    let url = one["downloadURL"].as_str().unwrap();
    let response = astra.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let zip = response.bytes().await.unwrap();
    assert!(zip.starts_with(b"PK\x03\x04"));
    for name in ["config.json", "ca.crt", "cert", "key"] {
        assert!(
            zip.windows(name.len())
                .any(|window| window == name.as_bytes()),
            "{name}"
        );
    }
    // Forged, with a token, expired.
    let forged = astra
        .http
        .get(url.replace("-1.zip", "-2.zip"))
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status(), 403);
    let leak = astra
        .http
        .get(url)
        .bearer_auth(astra.emulator.root_token())
        .send()
        .await
        .unwrap();
    assert_eq!(leak.status(), 400);
    assert_eq!(astra.violations(), ["query", "bundle_authorization"]);
    astra.emulator.advance_clock(Duration::from_secs(301));
    let late = astra.http.get(url).send().await.unwrap();
    assert_eq!(late.headers()["content-type"], "application/xml");
    assert_eq!(late.status(), 403);
}

async fn command(astra: &Astra, token: &str, keyspace: &str) -> Got {
    let database = astra.emulator.seeds().databases["vector_db"].clone();
    let url = astra.emulator.data_url(&database.id, &database.region);
    let request = astra.http.post(format!("{url}/api/json/v1/{keyspace}"));
    got(request
        .header("Token", token)
        .json(&json!({"findCollections": {}}))
        .send()
        .await
        .unwrap())
    .await
}

#[tokio::test]
async fn the_data_plane_checks_policies() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let scoped = token_with(&astra, &seeds.roles["App Reader"]).await;
    let scoped = scoped["token"].as_str().unwrap();
    let nothing = token_with(&astra, &seeds.roles["Nothing"]).await;
    assert_eq!(command(&astra, scoped, "app").await.0, 200);
    assert_eq!(command(&astra, scoped, "default_keyspace").await.0, 401);
    assert_eq!(
        command(&astra, nothing["token"].as_str().unwrap(), "app")
            .await
            .0,
        401
    );
    assert_eq!(
        command(&astra, &astra.seed("read_only"), "app").await.0,
        401
    );
    assert_eq!(command(&astra, &astra.seed("portal_1"), "app").await.0, 200);
    let unknown = command(&astra, &astra.seed("portal_1"), "nope").await;
    assert_eq!(unknown.0, 200);
    assert!(parsed(&unknown)["errors"].is_array());

    let database = seeds.databases["vector_db"].clone();
    let url = format!(
        "{}/api/rest/v2/schemas/keyspaces",
        astra.emulator.data_url(&database.id, "europe-west1")
    );
    let names = astra
        .http
        .get(&url)
        .header("X-Cassandra-Token", scoped)
        .send()
        .await
        .unwrap();
    assert_eq!(
        got(names).await,
        (200, r#"{"data":[{"name":"app"}]}"#.to_owned())
    );
    assert_eq!(astra.http.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(astra.violations(), ["token_header"]);

    let sleeping = seeds.databases["classic_db"].clone();
    let url = astra.emulator.data_url(&sleeping.id, &sleeping.region);
    let url = format!("{url}/api/rest/v2/schemas/keyspaces");
    let got = astra
        .http
        .get(&url)
        .header("Token", astra.seed("portal_1"))
        .send()
        .await
        .unwrap();
    assert_eq!(got.status(), 503);
}

#[tokio::test]
async fn documents_and_graphql_check_the_keyspace() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let scoped = token_with(&astra, &seeds.roles["App Reader"]).await;
    let scoped = scoped["token"].as_str().unwrap();
    let database = seeds.databases["vector_db"].clone();
    let base = astra.emulator.data_url(&database.id, &database.region);
    let documents = async |token: &str, keyspace: &str| {
        let url = format!("{base}/api/rest/v2/namespaces/{keyspace}/collections");
        let request = astra.http.get(url).header("X-Cassandra-Token", token);
        got(request.send().await.unwrap()).await
    };
    let graphql = async |token: &str, keyspace: &str, query: &str| {
        let url = format!("{base}/api/graphql/{keyspace}");
        let request = astra.http.post(url).header("X-Cassandra-Token", token);
        let request = request.json(&json!({ "query": query }));
        got(request.send().await.unwrap()).await
    };
    let schema = "{ __schema { queryType { name } } }";
    let empty = (200, r#"{"data":[]}"#.to_owned());
    assert_eq!(documents(scoped, "app").await, empty);
    let answer = graphql(scoped, "app", schema).await;
    assert_eq!(answer.0, 200);
    assert_eq!(
        parsed(&answer)["data"]["__schema"]["queryType"]["name"],
        "Query"
    );
    // A keyspace that the role does not cover, one that there is not, and a query of data.
    assert_eq!(documents(scoped, "default_keyspace").await.0, 401);
    assert_eq!(graphql(scoped, "default_keyspace", schema).await.0, 401);
    let all = astra.seed("portal_1");
    assert_eq!(documents(&all, "nope").await.0, 404);
    assert_eq!(graphql(&all, "nope", schema).await.0, 404);
    assert!(astra.violations().is_empty());
    assert_eq!(graphql(scoped, "app", "{ books { title } }").await.0, 400);
    assert_eq!(astra.violations(), ["query"]);
}

#[tokio::test]
async fn an_open_session_outlives_its_token_until_the_cache_drops_it() {
    let astra = Astra::new().await;
    let hot = astra.mint().await;
    let cold = astra.mint().await;
    let text = |token: &Value| token["token"].as_str().unwrap().to_owned();
    assert_eq!(command(&astra, &text(&hot), "app").await.0, 200);
    for token in [&hot, &cold] {
        assert_eq!(
            astra.delete(token["clientId"].as_str().unwrap()).await.0,
            204
        );
    }
    assert_eq!(command(&astra, &text(&cold), "app").await.0, 401);
    assert_eq!(command(&astra, &text(&hot), "app").await.0, 200);
    astra.emulator.advance_clock(Duration::from_secs(301));
    assert_eq!(command(&astra, &text(&hot), "app").await.0, 401);
    // Without a cache a token dies at once.
    astra.knobs(json!({"dataplane_cache_s": 0}));
    let token = astra.mint().await;
    assert_eq!(command(&astra, &text(&token), "app").await.0, 200);
    assert_eq!(
        astra.delete(token["clientId"].as_str().unwrap()).await.0,
        204
    );
    assert_eq!(command(&astra, &text(&token), "app").await.0, 401);
}

/// A command of the Data API on keyspace `app`, perhaps on a collection.
async fn data_api(astra: &Astra, collection: &str, body: Value) -> Value {
    let database = astra.emulator.seeds().databases["vector_db"].clone();
    let url = astra.emulator.data_url(&database.id, &database.region);
    let request = astra
        .http
        .post(format!("{url}/api/json/v1/app{collection}"))
        .header("accept", "application/json")
        .header("Token", astra.emulator.root_token());
    let got = got(request.json(&body).send().await.unwrap()).await;
    assert_eq!(got.0, 200, "{}", got.1);
    parsed(&got)
}

#[tokio::test]
async fn the_data_api_keeps_documents() {
    let astra = Astra::new().await;
    let on = async |collection: &str, body: Value| data_api(&astra, collection, body).await;
    let tables = on("", json!({"listTables": {}})).await;
    assert_eq!(tables, json!({"status": {"tables": []}}));
    let missing = on("/c", json!({"find": {}})).await;
    assert_eq!(missing["errors"][0]["errorCode"], "COLLECTION_NOT_EXIST");
    on("", json!({"createCollection": {"name": "c"}})).await;
    let plain = on("", json!({"findCollections": {}})).await;
    assert_eq!(plain["status"]["collections"], json!(["c"]));
    let explain = json!({"findCollections": {"options": {"explain": true}}});
    assert_eq!(
        on("", explain).await["status"]["collections"],
        json!([{"name": "c", "options": {}}])
    );
    let one = json!({"insertOne": {"document": {"_id": 1, "a": 2}}});
    assert_eq!(
        on("/c", one.clone()).await["status"]["insertedIds"],
        json!([1])
    );
    let twice = on("/c", one).await;
    assert_eq!(twice["errors"][0]["errorCode"], "DOCUMENT_ALREADY_EXISTS");
    let many = json!({"insertMany": {"documents": [{"a": 2}, {"_id": 3}]}});
    let made = on("/c", many).await["status"]["insertedIds"].clone();
    assert_eq!((made[0].as_str().unwrap().len(), &made[1]), (36, &json!(3)));
    let filter = json!({"filter": {"a": 2}});
    let found = on("/c", json!({"find": filter})).await;
    assert_eq!(found["data"]["documents"].as_array().unwrap().len(), 2);
    assert_eq!(found["data"]["nextPageState"], Value::Null);
    let first = on("/c", json!({"findOne": {"filter": {"_id": 3}}})).await;
    assert_eq!(first, json!({"data": {"document": {"_id": 3}}}));
    let none = on("/c", json!({"findOne": {"filter": {"_id": 4}}})).await;
    assert_eq!(none, json!({"data": {"document": null}}));
    let refused = on("/c", json!({"find": {"filter": {"a": {"$gt": 1}}}})).await;
    assert_eq!(
        refused["errors"][0]["errorCode"],
        "UNSUPPORTED_FILTER_OPERATION"
    );
    let gone = on("/c", json!({"deleteOne": filter})).await;
    assert_eq!(gone, json!({"status": {"deletedCount": 1}}));
    let count = on("/c", json!({"countDocuments": {}})).await;
    assert_eq!(count, json!({"status": {"count": 2}}));
    let rest = on("/c", json!({"deleteMany": {"filter": {}}})).await;
    assert_eq!(rest, json!({"status": {"deletedCount": 2}}));
    assert!(astra.violations().is_empty());
}
