use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::vault::Operation;

/// Keeps what it is told.
struct Recorder {
    sender: mpsc::UnboundedSender<Event>,
    received: Mutex<mpsc::UnboundedReceiver<Event>>,
}

#[async_trait]
impl Events for Recorder {
    async fn send(&self, event: Event) {
        self.sender.send(event).unwrap();
    }
}

impl Recorder {
    fn new() -> Arc<Self> {
        let (sender, received) = mpsc::unbounded_channel();
        Arc::new(Self {
            sender,
            received: Mutex::new(received),
        })
    }

    /// The next event: its kind and metadata.
    async fn next(&self) -> (String, BTreeMap<String, String>) {
        let mut received = self.received.lock().await;
        let event = timeout(Duration::from_secs(120), received.recv());
        let event = event.await.expect("an event").unwrap();
        (event.kind, event.metadata.into_iter().collect())
    }

    /// The next event must be of `kind`, about `path`.
    async fn expect(&self, kind: &str, path: &str) -> BTreeMap<String, String> {
        let (found, metadata) = self.next().await;
        assert_eq!(found, format!("astra/{kind}"), "{metadata:?}");
        assert_eq!(metadata["path"], path);
        assert_eq!(metadata["operation"], kind);
        assert_eq!(metadata["modified"], "true");
        metadata
    }
}

#[tokio::test]
async fn every_change_is_told_and_no_secret_with_it() {
    let events = Recorder::new();
    let mount = AstraMount::with_events(Arc::clone(&events) as _).await;
    let mut told = Vec::new();
    let root = mount.astra.root_token();
    mount.write_config("default", &root).await;
    told.push(events.expect("config-write", "config/default").await);
    assert_eq!(told[0]["data_path"], "config/default");

    let role = json!({"astra_roles": READER, "ttl": 60});
    mount.write("roles/reader", role).await.unwrap();
    told.push(events.expect("role-write", "roles/reader").await);

    let credential = mount.read_response("creds/reader").await;
    let created = events.expect("creds-create", "creds/reader").await;
    let client_id = credential.data()["client_id"].as_str().unwrap();
    assert_eq!(created["client_id"], client_id);
    assert_eq!(
        (created["config"].as_str(), created["role"].as_str()),
        ("default", "reader")
    );
    told.push(created);
    mount.revoke(&credential).await.unwrap();
    let revoked = events.expect("creds-revoke", "creds/reader").await;
    assert_eq!(revoked["client_id"], client_id);
    told.push(revoked);
    // An answer that may still have to be taken back holds the config in use.
    drop(credential);

    let fixed = json!({"astra_roles": READER, "rotation_period": "1h"});
    mount.write("static-roles/batch", fixed).await.unwrap();
    told.push(
        events
            .expect("static-role-write", "static-roles/batch")
            .await,
    );
    mount.write("rotate-role/batch", json!({})).await.unwrap();
    let rotated = events.expect("static-rotate", "static-roles/batch").await;
    assert_eq!(rotated["data_path"], "static-creds/batch");
    told.push(rotated);
    mount.write("rotate-root", json!({})).await.unwrap();
    told.push(events.expect("root-rotate", "config/default").await);

    let delete = async |path| {
        mount
            .call(Operation::Delete, path, json!({}))
            .await
            .unwrap()
    };
    delete("static-roles/batch").await;
    told.push(
        events
            .expect("static-role-delete", "static-roles/batch")
            .await,
    );
    delete("roles/reader").await;
    told.push(events.expect("role-delete", "roles/reader").await);
    delete("config").await;
    told.push(events.expect("config-delete", "config/default").await);

    let told = format!("{told:?}");
    for token in mount.astra.tokens(true) {
        for secret in [token.secret, token.token].into_iter().flatten() {
            assert!(!told.contains(&secret), "a secret is in {told}");
        }
    }
    assert!(!told.contains(&root));
}

#[tokio::test]
async fn what_fails_is_not_told() {
    let events = Recorder::new();
    let mount = AstraMount::with_events(Arc::clone(&events) as _).await;
    let nothing = json!({"astra_roles": READER});
    assert!(mount.write("roles/early", nothing).await.is_err());
    mount
        .call(Operation::Delete, "roles/none", json!({}))
        .await
        .unwrap();
    let token = mount.astra.root_token();
    mount.write_config("default", &token).await;
    // Events are told in no order, but these were never sent: the first is the config's.
    events.expect("config-write", "config/default").await;
}

/// Never answers.
#[derive(Default)]
struct Hanging(AtomicUsize);

#[async_trait]
impl Events for Hanging {
    async fn send(&self, _event: Event) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_host_that_hangs_delays_nothing_and_is_told_no_more() {
    let service = Arc::new(Hanging::default());
    let announcer = EventPublisher::new(Arc::clone(&service) as _);
    for _ in 0..UNDER_WAY * 3 {
        announcer.publish(EngineEvent::CredsCreate, Subject::default());
    }
    while service.0.load(Ordering::SeqCst) < UNDER_WAY {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(service.0.load(Ordering::SeqCst), UNDER_WAY);
}
