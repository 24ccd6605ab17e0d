//! Storage entries that are older, newer or broken: no panic, a clear error, and a way out.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::text;
use crate::engine::testing::warnings;
use crate::vault::Entry;
use crate::vault::Operation;
use crate::vault::Storage;

async fn store(mount: &AstraMount, key: &str, value: &[u8]) {
    let entry = Entry {
        key: key.to_owned(),
        value: value.to_vec(),
        seal_wrap: false,
    };
    mount.storage.put(entry).await.unwrap();
}

async fn stored(mount: &AstraMount, key: &str) -> Value {
    let entry = mount.storage.get(key).await.unwrap().unwrap();
    serde_json::from_slice(&entry.value).unwrap()
}

#[tokio::test]
async fn a_damaged_config_says_so_and_can_be_replaced_or_deleted() {
    let mut mount = AstraMount::mounted().await;
    let second = &mount.astra.seeds().organizations[1];
    let other = mount.config(json!({"token": second.root_token}));
    mount.write("config/second", other).await.unwrap();
    store(
        &mount,
        "v1/config/default",
        b"{\"version\":1,\"token\":\"AstraCS:leak",
    )
    .await;
    mount.restart();
    let read = mount.call(Operation::Read, "config", json!({})).await;
    let text = read.err().unwrap().to_string();
    assert!(
        text.starts_with(
            "the storage entry v1/config/default is not what this engine wrote (line 1, column "
        ),
        "{text}"
    );
    assert!(
        text.ends_with("write it again") && !text.contains("leak"),
        "{text}"
    );
    assert_eq!(mount.mint("reader").await.err().unwrap().to_string(), text);
    // The other one is not kept from its work.
    let listed = mount.read("config/").await.unwrap();
    assert_eq!(listed["keys"], json!(["default", "second"]));
    let status = mount.read("status").await.unwrap();
    assert_eq!(status["configs"]["default"]["error"], text);
    assert_eq!(status["configs"]["second"]["reachable"], true);
    mount.tick().await;
    // Deleting it needs force, writing it again does not.
    let refusal = mount.delete("config", json!({})).await.err().unwrap();
    assert!(
        refusal
            .to_string()
            .ends_with("only deleted with force=true"),
        "{refusal}"
    );
    let config = mount.config(json!({}));
    mount.write("config", config).await.unwrap();
    let issued = mount.mint("reader").await.unwrap();
    store(&mount, "v1/config/default", b"").await;
    mount.restart();
    let force = json!({"force": true});
    let texts = warnings(mount.delete("config", force).await.unwrap());
    let told = texts.iter().any(|text| {
        text.contains("root tokens that rotation minted or replaced stay in Astra")
            && text.contains("with the role rotate-root/default")
    });
    assert!(told, "{texts:?}");
    assert!(mount.read("config").await.is_none());
    mount.assert_clean(&[&issued], "only the config is gone");
}

#[tokio::test]
async fn a_damaged_role_says_so_and_can_be_replaced_or_deleted() {
    let mut mount = AstraMount::mounted().await;
    for damaged in [
        "null",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":\"1\"}",
        "\u{0}",
    ] {
        store(&mount, "v1/role/reader", damaged.as_bytes()).await;
        mount.restart();
        let text = mount.mint("reader").await.err().unwrap().to_string();
        assert!(
            text.starts_with("the storage entry v1/role/reader"),
            "{text}"
        );
        assert_eq!(
            mount.read("roles/").await.unwrap()["keys"],
            json!(["reader"])
        );
        let role = json!({"astra_roles": READER});
        mount.write("roles/reader", role).await.unwrap();
        assert!(mount.mint("reader").await.is_ok());
    }
    store(&mount, "v1/role/reader", b"?").await;
    mount.restart();
    delete_with_force_only(&mount, "roles/reader").await;
    assert!(mount.read("roles/reader").await.is_none());
}

/// What cannot be read is not deleted by accident.
async fn delete_with_force_only(mount: &AstraMount, path: &str) {
    let refusal = mount.delete(path, json!({})).await.err().unwrap();
    assert!(
        refusal
            .to_string()
            .ends_with("only deleted with force=true"),
        "{refusal}"
    );
    let force = json!({"force": true});
    mount.delete(path, force).await.unwrap();
}

/// A config, a role, a static role, and a second static role `other` that is due at each tick.
async fn mounted_with_static_roles() -> AstraMount {
    let mount = AstraMount::mounted().await;
    for name in ["batch", "other"] {
        let role = json!({"astra_roles": READER, "rotation_period": 60});
        mount
            .write(&format!("static-roles/{name}"), role)
            .await
            .unwrap();
    }
    mount
}

/// The text after which an entry with `kind` of harm is refused.
fn complaint(key: &str, harm: &str) -> String {
    match harm {
        "newer" => format!(
            "the storage entry {key} has version 2, this engine reads up to 1: upgrade the plugin"
        ),
        _ => format!("the storage entry {key} is not what this engine wrote"),
    }
}

async fn harm(mount: &mut AstraMount, key: &str, harm: &str) {
    let value = match harm {
        "newer" => {
            let mut entry = stored(mount, key).await;
            entry["version"] = json!(2);
            entry.to_string().into_bytes()
        }
        _ => b"{\"version\":1,".to_vec(),
    };
    store(mount, key, &value).await;
    mount.restart();
}

fn forbidden() -> astra_emulator::Fault {
    astra_emulator::Fault::Status {
        status: 403,
        body: astra_emulator::fault::FaultBody::Errors,
        committed: false,
        retry_after: None,
    }
}

/// What an unusable entry must not keep from working: the tick, tidy, status, lists, minting, and
/// finding a lost token.
async fn assert_neighbours_work(mount: &AstraMount, what: &str) {
    mount.fault_once(
        "POST",
        "/v2/clientIdSecrets",
        astra_emulator::Fault::ResetAfterCommit {},
    );
    let lost = mount.mint("reader").await;
    mount.tick().await;
    assert_eq!(
        mount.astra.invariants().orphans,
        0,
        "{what}: {:?}",
        lost.err()
    );
    for path in ["status", "config/", "roles/", "static-roles/"] {
        assert!(mount.read(path).await.is_some(), "{what}: {path}");
    }
    mount.write("tidy", json!({})).await.unwrap();
}

#[tokio::test]
async fn an_unusable_static_role_stops_nothing_but_itself() {
    for kind in ["damaged", "newer"] {
        let mut mount = mounted_with_static_roles().await;
        let key = "v1/static-role/batch";
        let token = stored(&mount, key).await["current"]["client_id"].clone();
        harm(&mut mount, key, kind).await;
        let text = complaint(key, kind);
        let read = mount.call(Operation::Read, "static-creds/batch", json!({}));
        let error = read.await.err().unwrap().to_string();
        assert!(error.starts_with(&text), "{error}");
        assert_neighbours_work(&mount, kind).await;
        // It is shown where an operator looks.
        let list = mount.read("static-roles/").await.unwrap();
        assert_eq!(list["keys"], json!(["batch", "other"]));
        assert_eq!(list["key_info"]["batch"]["error"], error);
        let status = mount.read("status").await.unwrap();
        assert_eq!(status["unusable_entries"]["static-roles/batch"], error);
        // Its token may be in use, so it stays.
        assert!(mount.live().contains(&token.as_str().unwrap().to_owned()));
        // The config that it may need is deleted with force only, and then for certain.
        let refusal = mount.delete("config", json!({})).await.err().unwrap();
        assert!(
            refusal.to_string().contains("batch (cannot be read)"),
            "{refusal}"
        );
        // A write replaces what is damaged, and leaves a newer version's entry alone.
        let role = json!({"astra_roles": READER, "rotation_period": 60});
        let written = mount.write("static-roles/batch", role).await;
        if kind == "newer" {
            assert!(written.err().unwrap().to_string().starts_with(&text));
            assert_eq!(stored(&mount, key).await["version"], 2);
            delete_with_force_only(&mount, "static-roles/batch").await;
            assert!(mount.read("static-roles/batch").await.is_none());
        } else {
            let warnings = written.unwrap().unwrap().warnings().to_vec();
            assert!(warnings[0].contains("could not be read"), "{warnings:?}");
            assert!(mount.read("static-creds/batch").await.is_some());
        }
        mount
            .delete("config", json!({"force": true}))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_static_roles_token_outlives_an_entry_that_cannot_be_read() {
    let mut mount = mounted_with_static_roles().await;
    let token = stored(&mount, "v1/static-role/batch").await["current"]["client_id"].clone();
    // The process died after it had stored the token and before it had marked the intent.
    for key in mount.storage.keys() {
        if key.starts_with("v1/intent/") {
            let mut block = stored(&mount, &key).await;
            let unmarked = "A".repeat(block["done"].as_str().unwrap().len());
            block["done"] = json!(unmarked);
            store(&mount, &key, block.to_string().as_bytes()).await;
        }
    }
    harm(&mut mount, "v1/static-role/batch", "newer").await;
    mount.tick().await;
    let live = mount.live();
    assert!(
        live.contains(&token.as_str().unwrap().to_owned()),
        "{live:?}"
    );
}

#[tokio::test]
async fn a_newer_config_stops_nothing_but_itself() {
    let mut mount = mounted_with_static_roles().await;
    let second = &mount.astra.seeds().organizations[1];
    let other = mount.config(json!({"token": second.root_token}));
    mount.write("config/newer", other).await.unwrap();
    harm(&mut mount, "v1/config/newer", "newer").await;
    let text = complaint("v1/config/newer", "newer");
    assert_neighbours_work(&mount, "newer config").await;
    let list = mount.read("config/").await.unwrap();
    assert_eq!(list["key_info"]["newer"]["error"], text);
    let status = mount.read("status").await.unwrap();
    assert_eq!(status["configs"]["newer"]["error"], text);
    assert_eq!(status["configs"]["default"]["reachable"], true);
    let write = mount.write("config/newer", json!({"url": mount.astra.url()}));
    assert_eq!(write.await.err().unwrap().to_string(), text);
    delete_with_force_only(&mount, "config/newer").await;
    assert!(mount.read("config/newer").await.is_none());
}

#[tokio::test]
async fn a_newer_role_stops_nothing_but_itself() {
    let mut mount = mounted_with_static_roles().await;
    let role = json!({"astra_roles": READER});
    mount.write("roles/newer", role.clone()).await.unwrap();
    harm(&mut mount, "v1/role/newer", "newer").await;
    let text = complaint("v1/role/newer", "newer");
    assert_neighbours_work(&mount, "newer role").await;
    let list = mount.read("roles/").await.unwrap();
    assert_eq!(list["key_info"]["newer"]["error"], text);
    let refusal = mount.delete("config", json!({})).await.err().unwrap();
    assert!(
        refusal.to_string().contains("newer (cannot be read)"),
        "{refusal}"
    );
    let write = mount.write("roles/newer", role).await;
    assert_eq!(write.err().unwrap().to_string(), text);
    delete_with_force_only(&mount, "roles/newer").await;
    assert!(mount.read("roles/newer").await.is_none());
}

#[tokio::test]
async fn an_unusable_pending_deletion_stops_no_other() {
    for kind in ["damaged", "newer"] {
        let mut mount = mounted_with_static_roles().await;
        let seeds = mount.astra.seeds().organizations.clone();
        let mut ids = Vec::new();
        for (name, organization) in ["b", "c"].into_iter().zip(&seeds[1..]) {
            let config = mount.config(json!({"token": organization.root_token}));
            mount
                .write(&format!("config/{name}"), config)
                .await
                .unwrap();
            let path = format!("rotate-root/{name}");
            let rotated = mount.write(&path, json!({})).await.unwrap().unwrap();
            ids.push(
                rotated.data()["token_client_id"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        mount.fault("DELETE", "*", forbidden());
        for name in ["b", "c"] {
            let path = format!("config/{name}");
            mount.delete(&path, json!({"force": true})).await.unwrap();
        }
        let key = format!("v1/pending-deletion/{}", ids[0]);
        harm(&mut mount, &key, kind).await;
        mount.astra.clear_faults();
        assert_neighbours_work(&mount, kind).await;
        let live = mount.live();
        assert!(
            live.contains(&ids[0]) && !live.contains(&ids[1]),
            "{live:?}"
        );
        let status = mount.read("status").await.unwrap();
        let shown = &status["unusable_entries"][format!("pending-deletions/{}", ids[0])];
        let text = complaint(&key, kind);
        assert!(shown.as_str().unwrap().starts_with(&text), "{shown}");
    }
}

/// Notes of failures only say when to try again.
#[tokio::test]
async fn an_unusable_note_of_failures_stops_nothing() {
    for kind in ["damaged", "newer"] {
        let mut mount = mounted_with_static_roles().await;
        let second = mount.astra.seeds().organizations[1].root_token.clone();
        mount.write_config("second", &second).await;
        let rotated = mount.write("rotate-root/second", json!({})).await;
        let pending = text(&rotated.unwrap().unwrap(), "token_client_id");
        let period = json!({"rotation_period": "1h"});
        mount.write("config", period).await.unwrap();
        let root =
            async |mount: &AstraMount| mount.read_data("config").await["token_client_id"].clone();
        let (first, key) = (root(&mount).await, "v1/static-role/other");
        let token = stored(&mount, key).await["current"]["client_id"].clone();
        // Everything fails once, and is noted.
        for method in ["POST", "DELETE"] {
            mount.fault(method, "*", forbidden());
        }
        mount
            .delete("config/second", json!({"force": true}))
            .await
            .unwrap();
        mount.advance(std::time::Duration::from_secs(3_700));
        mount.tick().await;
        mount.astra.clear_faults();
        let deletion = format!("v1/rotation/pending-deletion/{pending}");
        let notes = [
            "v1/rotation/root/default",
            "v1/rotation/static/other",
            &deletion,
        ];
        for note in notes {
            harm(&mut mount, note, kind).await;
        }
        for path in [
            "status",
            "config",
            "static-roles/other",
            "static-creds/other",
        ] {
            assert!(mount.read(path).await.is_some(), "{kind}: {path}");
        }
        mount.tick().await;
        assert_ne!(root(&mount).await, first, "{kind}");
        assert_ne!(stored(&mount, key).await["current"]["client_id"], token);
        assert!(!mount.is_live(&pending), "{kind}");
        let keys = mount.storage.keys();
        assert!(!keys.iter().any(|key| notes.contains(&key.as_str())));
    }
}

#[tokio::test]
async fn entries_of_the_first_layout_are_read() {
    let mut mount = AstraMount::new().await;
    let config = json!({"version": 1, "token": mount.astra.root_token(), "url": mount.astra.url(), "verify": true,
        "request_timeout": 30, "max_concurrent_requests": 32,
        "token_set_at": "2026-01-01T00:00:00Z"});
    store(&mount, "v1/config/default", config.to_string().as_bytes()).await;
    let role = json!({"version": 1, "config": "default",
        "astra_roles": [{"given": READER, "id": crate::engine::testing::READER_ID}], "a_later_field": true});
    store(&mount, "v1/role/reader", role.to_string().as_bytes()).await;
    mount.restart();
    let issued = mount.mint("reader").await.unwrap();
    mount.assert_clean(&[&issued], "minted");
}

#[tokio::test]
async fn intents_that_cannot_be_read_are_left_alone_and_stop_no_request() {
    for damaged in [
        "",
        "{}",
        "{\"version\":1,\"done\":\"%\"}",
        "{\"version\":9}",
        "{\"version\":1,\"done\":\"\"}",
    ] {
        let mut mount = AstraMount::mounted().await;
        let issued = mount.mint("reader").await.unwrap();
        let blocks = mount.storage.keys();
        let block = blocks
            .iter()
            .find(|key| key.starts_with("v1/intent/"))
            .unwrap();
        store(&mount, block, damaged.as_bytes()).await;
        store(&mount, "v1/intent/default/not-a-block", b"{}").await;
        mount.restart();
        let next = mount.mint("reader").await.unwrap();
        mount.tick().await;
        // No one can tell whether the first was handed out, so it stays.
        mount.assert_clean(&[&issued, &next], damaged);
    }
}

#[tokio::test]
async fn a_damaged_mount_id_is_a_clear_error() {
    let mut mount = AstraMount::mounted().await;
    store(&mount, "v1/mount", b"{\"version\":1}").await;
    mount.restart();
    let text = mount.mint("reader").await.err().unwrap().to_string();
    assert!(
        text.starts_with("the storage entry v1/mount is not what this engine wrote"),
        "{text}"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// JSON of any shape, often with the names that the engine knows.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1)),
        Just(json!("AstraCS:aaaaaaaaaaaaaaaaaaaaaaaa:0")),
        Just(json!("https://localhost")),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 12, |inner| {
        let names = prop_oneof![
            Just("version"),
            Just("token"),
            Just("url"),
            Just("config"),
            Just("astra_roles"),
            Just("given"),
            Just("id"),
            Just("done"),
            Just("verify"),
            Just("request_timeout"),
            Just("max_concurrent_requests"),
            Just("token_set_at"),
            Just("policy"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..10).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

/// The good entry with one member changed or gone.
fn dented(good: &Value, place: usize, dent: Option<Value>) -> Value {
    let mut entry = good.as_object().unwrap().clone();
    let name = entry.keys().nth(place % entry.len()).unwrap().clone();
    match dent {
        Some(dent) => entry.insert(name, dent),
        None => entry.remove(&name),
    };
    entry.into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever stands in storage, no request panics, and no error shows the root token.
    #[test]
    fn no_entry_makes_the_engine_panic(
        bytes in prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 0..80)),
        json in any_json(),
        dent in prop::option::of((any::<usize>(), prop::option::of(any_json()))),
        victim in 0..8_usize,
    ) {
        runtime().block_on(async {
            let mut mount = AstraMount::new().await;
            let config = mount.config(json!({"verify": false, "request_timeout": 1}));
            mount.write("config", config).await.unwrap();
            let role = json!({"astra_roles": READER});
            mount.write("roles/reader", role).await.unwrap();
            let role = json!({"astra_roles": READER, "rotation_period": 60});
            mount.write("static-roles/x", role).await.unwrap();
            mount.mint("reader").await.unwrap();
            let keys = mount.storage.keys();
            let key = &keys[victim % keys.len()];
            let value = match (bytes, dent) {
                (Some(bytes), _) => bytes,
                (None, Some((place, dent))) => {
                    dented(&stored(&mount, key).await, place, dent).to_string().into_bytes()
                }
                (None, None) => json.to_string().into_bytes(),
            };
            // A changed URL must lead nowhere.
            mount.fault("*", "*", astra_emulator::Fault::OkWithErrors {});
            store(&mount, key, &value).await;
            mount.restart();
            let secret = mount.astra.root_token();
            let secret = &secret[40..];
            let list = |path: &str| (Operation::List, path.to_owned());
            let read = |path: &str| (Operation::Read, path.to_owned());
            for (operation, path) in [
                list("config/"), read("config"), list("roles/"), read("roles/reader"),
                (Operation::Rollback, String::new()), read("static-roles/x"),
                (Operation::Update, "roles/reader".to_owned()),
                (Operation::Delete, "roles/reader".to_owned()),
            ] {
                if let Err(error) = mount.call(operation, &path, json!({})).await {
                    assert!(!error.to_string().contains(secret), "{error}");
                }
            }
            mount.cleanup().await;
        });
    }
}
