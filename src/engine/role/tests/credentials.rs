//! What a credential tells about the database, and that organizations never cross.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use proptest::strategy::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::engine::testing::mounted::Bench;
use crate::engine::testing::mounted::text;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;

#[tokio::test]
async fn a_credential_carries_what_an_application_needs() {
    let bench = Bench::configured().await;
    let vector = bench.astra.seeds().databases["vector_db"].id.clone();
    let role = json!({"astra_roles": "RO User", "database_id": vector});
    bench.write("roles/app", role).await.unwrap();
    // The first mint of a process asks for the root token's organization.
    bench.read("creds/app").await;
    bench.astra.clear_journal();
    let credential = bench.read("creds/app").await;
    // The facts are the role's: only the mint is sent.
    assert_eq!(bench.astra.journal().len(), 1);
    assert_eq!(text(&credential, "database_id"), vector);
    assert_eq!(text(&credential, "region"), "us-east1");
    assert_eq!(text(&credential, "keyspace"), "default_keyspace");
    assert_eq!(
        text(&credential, "api_endpoint"),
        format!("https://{vector}-us-east1.apps.astra.datastax.com")
    );
    assert!(credential.data().values().all(serde_json::Value::is_string));
    assert!(!credential.data().contains_key("secure_connect_bundle_url"));

    let other = json!({"region": "europe-west1", "keyspace": "app"});
    bench.write("roles/app", other).await.unwrap();
    let credential = bench.read("creds/app").await;
    assert_eq!(text(&credential, "region"), "europe-west1");
    assert_eq!(text(&credential, "keyspace"), "app");
    assert_eq!(
        text(&credential, "api_endpoint"),
        format!("https://{vector}-europe-west1.apps.astra.datastax.com")
    );
}

#[tokio::test]
async fn a_bundle_link_is_fresh_and_for_the_region() {
    let bench = Bench::configured().await;
    let vector = bench.astra.seeds().databases["vector_db"].id.clone();
    let role =
        json!({"astra_roles": "RO User", "database_id": vector, "secure_connect_bundle": true});
    bench.write("roles/app", role).await.unwrap();
    let link = text(&bench.read("creds/app").await, "secure_connect_bundle_url");
    assert!(link.contains(&format!("{vector}-1")), "{link}");
    let other = json!({"region": "europe-west1"});
    bench.write("roles/app", other).await.unwrap();
    let link = text(&bench.read("creds/app").await, "secure_connect_bundle_url");
    assert!(link.contains(&format!("{vector}-2")), "{link}");
    let stored = bench.storage.keys();
    for key in stored {
        let entry = crate::vault::Storage::get(&*bench.storage, &key)
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8(entry.value).unwrap();
        assert!(!text.contains("/_bundle/"), "{key}");
    }
}

#[tokio::test]
async fn without_a_bundle_no_token_is_minted() {
    let bench = Bench::configured().await;
    let vector = bench.astra.seeds().databases["vector_db"].id.clone();
    let role =
        json!({"astra_roles": "RO User", "database_id": vector, "secure_connect_bundle": true});
    bench.write("roles/app", role).await.unwrap();
    bench
        .astra
        .set_database_status(&vector, "HIBERNATED")
        .unwrap();
    let outcome = bench.send(Operation::Read, "creds/app", json!({})).await;
    let Err(Error::Coded { status, message }) = outcome else {
        panic!("not refused with a status");
    };
    assert_eq!(status, 503);
    let expected = format!(
        "config \"default\": database {vector} gives no secure connect bundle in its present state: resume it, or set \
         secure_connect_bundle=false on the role ("
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(bench.astra.live_tokens().is_empty());
    let posts = bench.astra.journal();
    assert!(
        posts
            .iter()
            .all(|entry| entry.path != "/v2/clientIdSecrets" || entry.method != "POST")
    );
}

/// A thousand mints and revokes, interleaved, over five organizations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizations_never_cross() {
    let bench = Arc::new(Bench::start().await);
    bench.astra.create_org("Fourth Org", None).unwrap();
    bench.astra.create_org("Fifth Org", None).unwrap();
    let organizations = bench.astra.seeds().organizations;
    assert_eq!(organizations.len(), 5);
    let mut root_of = BTreeMap::new();
    for (number, organization) in organizations.iter().enumerate() {
        bench
            .config(&format!("org{number}"), &organization.root_token)
            .await;
        let role = json!({"config": format!("org{number}"), "astra_roles": "RO User"});
        bench
            .write(&format!("roles/role{number}"), role)
            .await
            .unwrap();
        let client_id = organization.root_token.split(':').nth(1).unwrap();
        root_of.insert(organization.id.clone(), client_id.to_owned());
    }
    bench.astra.clear_journal();

    let orders = proptest::collection::vec(0..5_usize, 500)
        .new_tree(&mut TestRunner::default())
        .unwrap()
        .current();
    // Twenty callers, each of whom keeps a few leases and revokes the oldest.
    let callers = orders.chunks(25).map(|orders| {
        let (bench, orders) = (Arc::clone(&bench), orders.to_vec());
        let organizations = organizations.clone();
        tokio::spawn(async move {
            let mut held: Vec<Response> = Vec::new();
            for number in orders {
                let credential = bench.read(&format!("creds/role{number}")).await;
                assert_eq!(text(&credential, "org_id"), organizations[number].id);
                held.push(credential);
                if held.len() > 3 {
                    bench.revoke(&held.remove(0)).await.unwrap();
                }
            }
            for credential in held {
                bench.revoke(&credential).await.unwrap();
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }

    let org_of: BTreeMap<String, String> = bench
        .astra
        .tokens(false)
        .into_iter()
        .map(|token| (token.client_id, token.org_id))
        .collect();
    let journal = bench.astra.journal();
    let (mut minted, mut deleted) = (0, 0);
    for entry in &journal {
        let caller = entry.client_id_of_caller.as_ref().unwrap();
        assert!(root_of.values().any(|root| root == caller), "{entry:?}");
        if entry.path == "/v2/currentOrg" {
            continue;
        }
        let subject = entry.client_id_of_subject.as_ref().unwrap();
        assert_eq!(Some(caller), root_of.get(&org_of[subject]), "{entry:?}");
        match entry.method.as_str() {
            "POST" => minted += 1,
            "DELETE" => deleted += 1,
            other => panic!("{other} {}", entry.path),
        }
    }
    assert_eq!((minted, deleted), (500, 500));
    assert!(bench.astra.live_tokens().is_empty());
    assert!(bench.astra.violations().is_empty());
}
