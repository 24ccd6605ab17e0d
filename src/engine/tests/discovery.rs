//! What an organization offers, how a mount fares, and tidying up.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::READER_ID;
use crate::vault::Error;
use crate::vault::Operation;

#[tokio::test]
async fn astra_roles_are_listed_and_read_by_name_and_id() {
    let mount = AstraMount::mounted().await;
    for case in ["snake", "oas", "pascal", "policy_as_string"] {
        mount.astra.set_knobs(json!({"role_case": case})).unwrap();
        let listed = mount.read("astra-roles/default/").await.unwrap();
        let keys = listed["keys"].as_array().unwrap();
        assert_eq!(keys.len(), mount.astra.roles(None).unwrap().len());
        assert!(keys.is_sorted_by_key(|key| key.as_str().unwrap().to_owned()));
        let info = listed["key_info"][READER].as_object().unwrap();
        let shown: Vec<&str> = info.keys().map(String::as_str).collect();
        let columns = ["action_count", "description", "id", "token_admin"];
        assert_eq!(shown, columns, "{case}");
        assert_eq!(info["id"], READER_ID, "{case}");
        assert_eq!(info["action_count"], 9, "{case}");
        for path in [READER, READER_ID] {
            let path = format!("astra-roles/default/{path}");
            let role = mount.read(&path).await.unwrap();
            assert_eq!(role["id"], READER_ID);
            assert_eq!(role["token_admin"], false);
        }
        let admin = "astra-roles/default/Organization Administrator";
        assert_eq!(mount.read(admin).await.unwrap()["token_admin"], true);
        assert!(mount.read("astra-roles/default/R/W User").await.is_some());
        assert!(mount.read("astra-roles/default/missing").await.is_none());
    }
}

#[tokio::test]
async fn databases_are_listed() {
    let mount = AstraMount::mounted().await;
    let listed = mount.read("databases/default/").await.unwrap();
    let seed = &mount.astra.seeds().databases["vector_db"];
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    let listed = &listed["key_info"][&seed.id];
    assert_eq!(
        *listed,
        json!({"name": "vector_db", "status": "ACTIVE", "cloud_provider": "GCP",
               "keyspaces": ["app", "default_keyspace"], "regions": ["europe-west1", "us-east1"]})
    );
    let path = |database: &str| format!("databases/default/{database}");
    let info = mount.read(&path(&seed.id)).await.unwrap();
    assert_eq!(mount.read(&path("vector_db")).await.as_ref(), Some(&info));
    assert!(mount.read(&path("nothing")).await.is_none());
    assert_eq!(info["id"], seed.id.as_str());
    assert_eq!(info["name"], "vector_db");
    assert_eq!(info["status"], "ACTIVE");
    assert_eq!(info["region"], seed.region);
    assert_eq!(info["regions"], json!(["europe-west1", "us-east1"]));
    // The same as a credential for that region says.
    for region in ["europe-west1", "us-east1"] {
        let role = json!({"astra_roles": READER, "database_id": seed.id, "region": region});
        mount.write("roles/there", role).await.unwrap();
        let there = mount.mint("there").await.unwrap();
        assert_eq!(info["api_endpoints"][region], there.data["api_endpoint"]);
        assert!(there.text("api_endpoint").contains(region));
    }
}

#[tokio::test]
async fn only_tokens_of_this_mount_are_listed_and_never_a_secret() {
    let mount = AstraMount::mounted().await;
    assert_eq!(mount.read("tokens/default/").await, Some(json!({})));
    let asked = json!({"reason": "OPS-7"});
    let issued = mount.mint_with("reader", asked).await.unwrap();
    let listed = mount.read("tokens/default/").await.unwrap();
    assert_eq!(listed["keys"], json!([issued.client_id]));
    let info = &listed["key_info"][&issued.client_id];
    assert_eq!(info["role"], "reader");
    assert_eq!(info["minted_for"], "by token-ci for OPS-7");
    let text = listed.to_string();
    assert!(!text.contains(issued.text("client_secret")) && !text.contains(issued.text("token")));
    // Where the role is gone the description still tells it.
    mount.delete("roles/reader", json!({})).await.unwrap();
    let listed = mount.read("tokens/default/").await.unwrap();
    assert_eq!(listed["key_info"][&issued.client_id]["role"], "reader");
}

#[tokio::test]
async fn tidy_counts_what_nothing_tells_the_end_of() {
    let mount = AstraMount::mounted().await;
    mount
        .astra
        .set_knobs(json!({"ignore_expiry": true}))
        .unwrap();
    let issued = [
        mount.mint("reader").await.unwrap(),
        mount.mint("reader").await.unwrap(),
    ];
    let done = mount.write("tidy", json!({})).await.unwrap().unwrap();
    assert_eq!(done.data()["unknown"], 2);
    assert_eq!(done.data()["deleted"], 0);
    mount.assert_clean(&[&issued[0], &issued[1]], "nothing tells their end");
}

#[tokio::test]
async fn a_config_that_is_missing_is_named() {
    let mount = AstraMount::new().await;
    for path in ["astra-roles/x/", "databases/x/", "tokens/x/"] {
        let listed = mount.call(Operation::List, path, json!({})).await;
        let missing =
            "config \"x\" does not exist: write it first, with token=… at config/x".to_owned();
        assert_eq!(listed.err(), Some(Error::BadRequest(missing)), "{path}");
    }
}

#[tokio::test]
async fn status_tells_how_each_config_fares() {
    let mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    let second = &mount.astra.seeds().organizations[1];
    let config = mount.config(json!({"token": second.root_token}));
    mount.write("config/second", config).await.unwrap();
    let status = mount.read("status").await.unwrap();
    let default = &status["configs"]["default"];
    assert_eq!(default["reachable"], true);
    assert_eq!(default["live_tokens"], 1);
    assert_eq!(default["pending_intents"], 0);
    assert_eq!(default["last_error"], "");
    assert_eq!(status["configs"]["second"]["live_tokens"], 0);
    assert_eq!(status["configs"]["second"]["org_id"], second.id);

    // One that fails does not hide the other.
    let client_id = second.root_token.split(':').nth(1).unwrap();
    mount.astra.expire_token(client_id).unwrap();
    let status = mount.read("status").await.unwrap();
    assert_eq!(status["configs"]["second"]["reachable"], false);
    assert_eq!(status["configs"]["second"]["last_error"], "unauthorized");
    assert_eq!(status["configs"]["default"]["reachable"], true);
    mount.assert_clean(&[&issued], "status changes nothing");

    // What is over is not shown any more: once the same request succeeds.
    let broken = FaultRule::new(Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    });
    let broken = broken.on("POST", "/v2/clientIdSecrets");
    let rule = mount.astra.add_fault(broken).unwrap();
    mount.mint("reader").await.unwrap_err();
    let status = mount.read("status").await.unwrap();
    let default = &status["configs"]["default"];
    assert_eq!(default["reachable"], true);
    assert_eq!(default["last_error"], "forbidden");
    assert_ne!(default["last_error_at"], "");
    mount.astra.remove_fault(rule).unwrap();
    mount.mint("reader").await.unwrap();
    let status = mount.read("status").await.unwrap();
    let default = &status["configs"]["default"];
    assert_eq!(
        (&default["last_error"], &default["last_error_at"]),
        (&json!(""), &json!(""))
    );
}

#[tokio::test]
async fn tidy_deletes_only_what_no_lease_can_hold() {
    let mut mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    let knobs = json!({"org_max_token_expiry_s": 7_500, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    let ending = mount.mint("reader").await.unwrap();
    mount
        .astra
        .set_knobs(json!({"org_max_token_expiry_s": null}))
        .unwrap();
    // This node's clock alone shows nothing.
    mount.restart_ahead(Duration::from_secs(7_200));
    let early = mount.write("tidy", json!({})).await.unwrap().unwrap();
    assert_eq!(early.data()["deleted"], 0);
    mount.astra.advance_clock(Duration::from_secs(7_200));
    let dry = mount.write("tidy", json!({"dry_run": true})).await.unwrap();
    let dry = dry.unwrap().data().clone();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["deleted"], 0);
    assert_eq!(dry["kept"], 1);
    assert_eq!(dry["unknown"], 0);
    let found = dry["tokens"].as_object().unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&ending.client_id]);
    mount.assert_clean(&[&issued, &ending], "a dry run");
    let done = mount.write("tidy", json!({})).await.unwrap().unwrap();
    assert_eq!(done.data()["deleted"], 1);
    mount.assert_clean(&[&issued], "tidied");

    let down = Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    };
    mount.fault("GET", "/v2/clientIdSecrets", down);
    let error = mount.write("tidy", json!({})).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("config \"default\": cannot list tokens: "),
        "{text}"
    );
}

#[tokio::test]
async fn live_tokens_are_listed_in_pages() {
    let mount = AstraMount::mounted().await;
    let mut minted = Vec::new();
    for _ in 0..3 {
        minted.push(mount.mint("reader").await.unwrap().client_id);
    }
    minted.sort();
    let list = async |data| {
        let listed = mount.call(Operation::List, "tokens/default/", data).await;
        listed.unwrap().unwrap()
    };
    let first = list(json!({"limit": 2})).await;
    assert_eq!(first.data()["keys"], json!(minted[..2]));
    let told = format!("with after={}", minted[1]);
    assert!(
        first.warnings()[0].contains(&told),
        "{:?}",
        first.warnings()
    );
    let rest = list(json!({"limit": 2, "after": minted[1]})).await;
    assert_eq!(rest.data()["keys"], json!(minted[2..]));
    assert!(rest.warnings().is_empty());
    let all = list(json!({})).await;
    assert_eq!(all.data()["keys"], json!(minted));
    for limit in [0, -1, 10_001] {
        let listed = mount
            .call(Operation::List, "tokens/default/", json!({"limit": limit}))
            .await;
        let text = crate::engine::testing::refused(listed);
        let expected = format!("limit: {limit} is out of range: give a number from 1 to 10000");
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn a_name_with_two_dots_is_refused_wherever_one_is_given() {
    let mount = AstraMount::mounted().await;
    let refused = |outcome, what: &str| {
        let text = crate::engine::testing::refused(outcome);
        let expected = "is not a name: use letters of English, digits and \"_\"";
        assert!(text.contains(expected), "{what}: {text}");
    };
    for (operation, path) in [
        (Operation::Read, "config/a..b"),
        (Operation::Update, "config/a..b"),
        (Operation::Delete, "config/a..b"),
        (Operation::Update, "rotate-root/a..b"),
        (Operation::Read, "roles/a..b"),
        (Operation::Update, "roles/a..b"),
        (Operation::Delete, "roles/a..b"),
        (Operation::Read, "creds/a..b"),
        (Operation::Read, "static-roles/a..b"),
        (Operation::Update, "static-roles/a..b"),
        (Operation::Read, "static-creds/a..b"),
        (Operation::Read, "status/a..b"),
        (Operation::Update, "rotate-role/a..b"),
        (Operation::List, "astra-roles/a..b/"),
        (Operation::List, "databases/a..b/"),
        (Operation::List, "tokens/a..b/"),
    ] {
        refused(mount.call(operation, path, json!({})).await, path);
    }
    for (path, data) in [
        (
            "roles/n",
            json!({"astra_roles": READER, "config": "../mount"}),
        ),
        ("roles/n", json!({"astra_roles": READER, "config": "a..b"})),
        (
            "static-roles/n",
            json!({"astra_roles": READER, "rotation_period": 60, "config": "../x"}),
        ),
        ("tidy", json!({"config": "../x"})),
        ("tidy", json!({"config": "x/y"})),
    ] {
        refused(mount.write(path, data).await, path);
    }
    // One dot is no way upwards.
    let config = mount.config(json!({"token": mount.another_root_token()}));
    mount.write("config/a.b", config).await.unwrap();
}

#[tokio::test]
async fn a_part_of_a_second_is_not_taken_for_no_limit() {
    let mount = AstraMount::mounted().await;
    for data in [
        json!({"ttl": "0.5s"}),
        json!({"max_ttl": "0.9s"}),
        json!({"max_ttl": "1ms"}),
        json!({"ttl": 0.5}),
    ] {
        let text = mount.refusal("roles/reader", data.clone()).await;
        assert!(
            text.contains("it is shorter than a second"),
            "{data}: {text}"
        );
    }
    assert_eq!(mount.read("roles/reader").await.unwrap()["max_ttl"], 0);
}
