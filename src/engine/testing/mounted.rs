//! A mounted engine over storage in memory and an emulator in process, for tests.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use astra_emulator::Emulator;
use astra_emulator::Options;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::engine::AstraFactory;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Events;
use crate::vault::Factory;
use crate::vault::HandlerResult;
use crate::vault::LeaseInfo;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::Storage;
use crate::vault::memory::FixedSystem;
use crate::vault::memory::MemoryStorage;
use crate::vault::memory::NoEvents;

/// One mount.  Dropping and mounting again over the same storage is a crash of the process.
pub(crate) struct Bench {
    pub(crate) astra: Emulator,
    pub(crate) storage: Arc<MemoryStorage>,
    backend: Arc<dyn Backend>,
}

/// Request ids are unique, also across crashes.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

impl Bench {
    /// An empty mount and a new emulator.
    pub(crate) async fn start() -> Self {
        let astra = Emulator::start(Options::default()).await.unwrap();
        Self::mount(astra, Arc::new(MemoryStorage::new()))
    }

    /// The same with a config called `default` for the emulator's first organization.
    pub(crate) async fn configured() -> Self {
        let bench = Self::start().await;
        let token = bench.astra.root_token();
        bench.config("default", &token).await;
        bench
    }

    /// An empty mount that tells `events` what happens.
    pub(crate) async fn with_events(events: Arc<dyn Events>) -> Self {
        let astra = Emulator::start(Options::default()).await.unwrap();
        Self::mount_with(astra, Arc::new(MemoryStorage::new()), events)
    }

    /// Mounts the engine over `storage`.
    pub(crate) fn mount(astra: Emulator, storage: Arc<MemoryStorage>) -> Self {
        Self::mount_with(astra, storage, Arc::new(NoEvents))
    }

    fn mount_with(astra: Emulator, storage: Arc<MemoryStorage>, events: Arc<dyn Events>) -> Self {
        let mount = Mount {
            uuid: "bench".to_owned(),
            options: BTreeMap::new(),
            storage: Arc::clone(&storage) as _,
            system: Arc::new(FixedSystem::default()),
            events,
        };
        Self {
            astra,
            storage,
            backend: AstraFactory::default().build(mount).unwrap(),
        }
    }

    /// A new process over the same storage and organization; the old one had no time to clean up.
    pub(crate) fn crash(self) -> Self {
        Self::mount(self.astra, self.storage)
    }

    /// Another mount over a copy of the storage, as a cluster that is restored from a snapshot.
    pub(crate) async fn fork(&self) -> Self {
        let copy = Arc::new(MemoryStorage::new());
        for key in self.storage.keys() {
            let entry = self.storage.get(&key).await.unwrap();
            copy.put(entry.unwrap()).await.unwrap();
        }
        Self::mount(self.astra.clone(), copy)
    }

    /// Writes a config for the emulator.
    pub(crate) async fn config(&self, name: &str, token: &str) {
        let data = json!({"token": token, "url": self.astra.url()});
        self.write(&format!("config/{name}"), data).await.unwrap();
    }

    /// One request as the host would send it.
    pub(crate) async fn send(
        &self,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> HandlerResult {
        self.backend
            .handle(self.request(operation, path, data))
            .await
    }

    /// A read with a request id of its own, as when the host repeats it.
    pub(crate) async fn read_as(&self, id: &str, path: &str) -> HandlerResult {
        let mut request = self.request(Operation::Read, path, json!({}));
        request.id = id.to_owned();
        self.backend.handle(request).await
    }

    /// A create or an update.
    pub(crate) async fn write(&self, path: &str, data: Value) -> HandlerResult {
        self.send(Operation::Update, path, data).await
    }

    /// A read that must find something.
    pub(crate) async fn read(&self, path: &str) -> Response {
        self.send(Operation::Read, path, json!({}))
            .await
            .unwrap()
            .unwrap()
    }

    /// The text of the HTTP 400 with which a write is refused.
    pub(crate) async fn refusal(&self, path: &str, data: Value) -> String {
        refusal(self.write(path, data).await)
    }

    /// The host's tick.
    pub(crate) async fn tick(&self) {
        self.send(Operation::Rollback, "", json!({})).await.unwrap();
    }

    /// Ends the lease of a credential.
    pub(crate) fn revoke<'a>(
        &'a self,
        credential: &Response,
    ) -> impl Future<Output = HandlerResult> + use<'a> {
        let lease = credential.lease().unwrap();
        let mut request = self.request(Operation::Revoke, "", json!({}));
        request.lease = Some(LeaseInfo {
            internal_data: lease.internal_data.clone(),
            ttl: lease.ttl,
            max_ttl: lease.max_ttl,
            increment: std::time::Duration::ZERO,
            issue_time: None,
            lease_id: String::new(),
        });
        self.backend.handle(request)
    }

    fn request(&self, operation: Operation, path: &str, data: Value) -> Request {
        let data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        Request {
            id: format!("request-{number}"),
            operation,
            path: path.to_owned(),
            data,
            lease: None,
            display_name: "token-test".to_owned(),
            entity_id: String::new(),
            mount_point: "astra/".to_owned(),
            mount_type: "astra".to_owned(),
            client_token_accessor: String::new(),
            remote_addr: String::new(),
        }
    }
}

/// The text of an HTTP 400.
pub(crate) fn refusal(outcome: HandlerResult) -> String {
    match outcome {
        Err(Error::BadRequest(text)) => text,
        Err(other) => panic!("not a 400: {other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

/// One text of an answer's data.
pub(crate) fn text(response: &Response, key: &str) -> String {
    match response.data().get(key) {
        Some(Value::String(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    }
}
