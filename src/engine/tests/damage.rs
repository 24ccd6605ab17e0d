//! Storage entries that are older, newer or broken: no panic, a clear error, and a way out.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::bench::Bench;
use super::bench::READER;
use crate::vault::Entry;
use crate::vault::Operation;
use crate::vault::Storage;

async fn store(bench: &Bench, key: &str, value: &[u8]) {
    let entry = Entry {
        key: key.to_owned(),
        value: value.to_vec(),
        seal_wrap: false,
    };
    bench.storage.memory.put(entry).await.unwrap();
}

async fn stored(bench: &Bench, key: &str) -> Value {
    let entry = bench.storage.memory.get(key).await.unwrap().unwrap();
    serde_json::from_slice(&entry.value).unwrap()
}

#[tokio::test]
async fn a_damaged_config_says_so_and_can_be_replaced_or_deleted() {
    let mut bench = Bench::mounted().await;
    let second = &bench.astra.seeds().organizations[1];
    let other = bench.config(json!({"token": second.root_token}));
    bench.write("config/second", other).await.unwrap();
    store(
        &bench,
        "v1/config/default",
        b"{\"version\":1,\"token\":\"AstraCS:leak",
    )
    .await;
    bench.restart();
    let read = bench.call(Operation::Read, "config", json!({})).await;
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
    assert_eq!(bench.mint("reader").await.err().unwrap().to_string(), text);
    // The other one is not kept from its work.
    let listed = bench.read("config/").await.unwrap();
    assert_eq!(listed["keys"], json!(["default", "second"]));
    let status = bench.read("status").await.unwrap();
    assert_eq!(status["configs"]["default"]["error"], text);
    assert_eq!(status["configs"]["second"]["reachable"], true);
    bench.tick().await;
    // Deleting it needs force, writing it again does not.
    let refusal = bench.delete("config", json!({})).await.err().unwrap();
    assert!(
        refusal
            .to_string()
            .ends_with("only deleted with force=true"),
        "{refusal}"
    );
    let config = bench.config(json!({}));
    bench.write("config", config).await.unwrap();
    let held = bench.mint("reader").await.unwrap();
    store(&bench, "v1/config/default", b"").await;
    bench.restart();
    bench
        .delete("config", json!({"force": true}))
        .await
        .unwrap();
    assert!(bench.read("config").await.is_none());
    bench.assert_clean(&[&held], "only the config is gone");
}

#[tokio::test]
async fn a_damaged_role_says_so_and_can_be_replaced_or_deleted() {
    let mut bench = Bench::mounted().await;
    for damaged in [
        "null",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":\"1\"}",
        "\u{0}",
    ] {
        store(&bench, "v1/role/reader", damaged.as_bytes()).await;
        bench.restart();
        let text = bench.mint("reader").await.err().unwrap().to_string();
        assert!(
            text.starts_with("the storage entry v1/role/reader"),
            "{text}"
        );
        assert_eq!(
            bench.read("roles/").await.unwrap()["keys"],
            json!(["reader"])
        );
        let role = json!({"astra_roles": READER});
        bench.write("roles/reader", role).await.unwrap();
        assert!(bench.mint("reader").await.is_ok());
    }
    store(&bench, "v1/role/reader", b"?").await;
    bench.restart();
    bench.delete("roles/reader", json!({})).await.unwrap();
    assert!(bench.read("roles/reader").await.is_none());
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_not_touched() {
    let mut bench = Bench::mounted().await;
    for (key, path) in [
        ("v1/config/default", "config"),
        ("v1/role/reader", "roles/reader"),
    ] {
        let mut entry = stored(&bench, key).await;
        entry["version"] = json!(2);
        store(&bench, key, entry.to_string().as_bytes()).await;
        bench.restart();
        let text = format!(
            "the storage entry {key} has version 2, this engine reads up to 1: upgrade the plugin"
        );
        let read = bench.call(Operation::Read, path, json!({})).await;
        assert_eq!(read.err().unwrap().to_string(), text);
        let write = bench.call(Operation::Update, path, json!({})).await;
        assert_eq!(write.err().unwrap().to_string(), text);
        let delete = bench.delete(path, json!({"force": true})).await;
        assert_eq!(delete.err().unwrap().to_string(), text);
        assert_eq!(stored(&bench, key).await, entry);
    }
}

#[tokio::test]
async fn entries_of_the_first_layout_are_read() {
    let mut bench = Bench::new().await;
    let config = json!({"version": 1, "token": bench.astra.root_token(), "url": bench.astra.url(), "verify": true,
        "request_timeout": 30, "max_concurrent_requests": 32, "token_set_at": "2026-01-01T00:00:00Z"});
    store(&bench, "v1/config/default", config.to_string().as_bytes()).await;
    let role = json!({"version": 1, "config": "default",
        "astra_roles": [{"given": READER, "id": super::bench::READER_ID}], "a_later_field": true});
    store(&bench, "v1/role/reader", role.to_string().as_bytes()).await;
    bench.restart();
    let held = bench.mint("reader").await.unwrap();
    bench.assert_clean(&[&held], "minted");
}

#[tokio::test]
async fn intents_that_cannot_be_read_are_left_alone_and_stop_nobody() {
    for damaged in [
        "",
        "{}",
        "{\"version\":1,\"done\":\"%\"}",
        "{\"version\":9}",
        "{\"version\":1,\"done\":\"\"}",
    ] {
        let mut bench = Bench::mounted().await;
        let held = bench.mint("reader").await.unwrap();
        let blocks = bench.storage.memory.keys();
        let block = blocks
            .iter()
            .find(|key| key.starts_with("v1/intent/"))
            .unwrap();
        store(&bench, block, damaged.as_bytes()).await;
        store(&bench, "v1/intent/default/not-a-block", b"{}").await;
        bench.restart();
        let next = bench.mint("reader").await.unwrap();
        bench.tick().await;
        // Nobody can tell whether the first was handed out, so it stays.
        bench.assert_clean(&[&held, &next], damaged);
    }
}

#[tokio::test]
async fn a_damaged_mount_id_is_a_clear_error() {
    let mut bench = Bench::mounted().await;
    store(&bench, "v1/mount", b"{\"version\":1}").await;
    bench.restart();
    let text = bench.mint("reader").await.err().unwrap().to_string();
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
        victim in 0..6_usize,
    ) {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            let config = bench.config(json!({"verify": false, "request_timeout": 1}));
            bench.write("config", config).await.unwrap();
            let role = json!({"astra_roles": READER});
            bench.write("roles/reader", role).await.unwrap();
            bench.mint("reader").await.unwrap();
            let keys = bench.storage.memory.keys();
            let key = &keys[victim % keys.len()];
            let value = match (bytes, dent) {
                (Some(bytes), _) => bytes,
                (None, Some((place, dent))) => {
                    dented(&stored(&bench, key).await, place, dent).to_string().into_bytes()
                }
                (None, None) => json.to_string().into_bytes(),
            };
            // A changed URL must lead nowhere.
            bench.fault("*", "*", astra_emulator::Fault::OkWithErrors {});
            store(&bench, key, &value).await;
            bench.restart();
            let secret = bench.astra.root_token();
            let secret = &secret[40..];
            let list = |path: &str| (Operation::List, path.to_owned());
            let read = |path: &str| (Operation::Read, path.to_owned());
            for (operation, path) in [
                list("config/"), read("config"), list("roles/"), read("roles/reader"),
                (Operation::Rollback, String::new()), read("static-roles/x"),
                (Operation::Update, "roles/reader".to_owned()),
                (Operation::Delete, "roles/reader".to_owned()),
            ] {
                if let Err(error) = bench.call(operation, &path, json!({})).await {
                    assert!(!error.to_string().contains(secret), "{error}");
                }
            }
            bench.engine.cleanup().await;
        });
    }
}
