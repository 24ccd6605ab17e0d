//! A backend that does what a test asks for by the request's path.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use super::storage::Storage;
use crate::vault::Backend;
use crate::vault::Entry;
use crate::vault::Error;
use crate::vault::Factory;
use crate::vault::HandlerResult;
use crate::vault::Lease;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::SpecialPaths;

/// Builds [`TestBackend`]s, which all report to the same counters.
#[derive(Clone, Default)]
pub(super) struct TestFactory {
    pub counters: Arc<Counters>,
}

/// What has happened, and the gate that opens for the path `wait`.
#[derive(Default)]
pub(super) struct Counters {
    pub started: watch::Sender<usize>,
    pub finished: watch::Sender<usize>,
    pub undone: watch::Sender<usize>,
    pub cleaned: watch::Sender<usize>,
    pub gate: watch::Sender<bool>,
}

struct TestBackend {
    mount: Mount,
    counters: Arc<Counters>,
}

/// Waits until `counter` is `count`.
pub(super) async fn reaches(counter: &watch::Sender<usize>, count: usize) {
    becomes(counter.subscribe(), count).await;
}

/// Waits until the host is answering `count` calls of its storage.
pub(super) async fn in_flight(storage: &Storage, count: usize) {
    becomes(storage.watch_in_flight(), count).await;
}

/// The limit is only there so that a failing test ends.
async fn becomes(mut counter: watch::Receiver<usize>, count: usize) {
    let reached = tokio::time::timeout(
        Duration::from_secs(120),
        counter.wait_for(|value| *value == count),
    );
    assert!(
        matches!(reached.await, Ok(Ok(_))),
        "the counter does not reach {count}"
    );
}

fn bump(counter: &watch::Sender<usize>) {
    counter.send_modify(|value| *value += 1);
}

impl Factory for TestFactory {
    fn version(&self) -> String {
        "v1.2.3".to_owned()
    }

    fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
        assert!(!mount.options.contains_key("panic"), "as asked for");
        Ok(Arc::new(TestBackend {
            mount,
            counters: Arc::clone(&self.counters),
        }))
    }
}

impl TestBackend {
    async fn wait(&self) -> Response {
        bump(&self.counters.started);
        self.counters
            .gate
            .subscribe()
            .wait_for(|open| *open)
            .await
            .unwrap();
        bump(&self.counters.finished);
        let counters = Arc::clone(&self.counters);
        Response::default().on_undelivered(async move {
            // An undo takes its time, too.
            tokio::task::yield_now().await;
            bump(&counters.undone);
        })
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Backend for TestBackend {
    fn special_paths(&self) -> SpecialPaths {
        SpecialPaths {
            seal_wrap_storage: vec!["config".to_owned()],
            ..SpecialPaths::default()
        }
    }

    async fn initialize(&self) -> Result<(), Error> {
        let entry = Entry {
            key: "initialized".to_owned(),
            value: Vec::new(),
            seal_wrap: false,
        };
        Ok(self.mount.storage.put(entry).await?)
    }

    async fn handle(&self, request: Request) -> HandlerResult {
        if let Operation::Other(_) = request.operation {
            return Err(Error::UnsupportedOperation);
        }
        let (head, tail) = request.path.split_once('/').unwrap_or((&request.path, ""));
        let data = match head {
            "big" => Self::object(json!({"text": "x".repeat(20 << 20)})),
            "echo" => request.data,
            "get" => match self.mount.storage.get(tail).await? {
                Some(entry) => {
                    Self::object(json!({"value": String::from_utf8_lossy(&entry.value)}))
                }
                None => return Ok(None),
            },
            "lease" => {
                let hour = Duration::from_secs(3600);
                let internal_data = Self::object(json!({"secret_type": "test"}));
                let lease = Lease {
                    ttl: hour,
                    max_ttl: hour * 24,
                    renewable: true,
                    internal_data,
                };
                return Ok(Some(Response::default().with_lease(lease)));
            }
            "list" => {
                let keys = self.mount.storage.list(tail).await?;
                return Ok(Some(Response::list(keys, Map::new())));
            }
            "options" => {
                Self::object(json!({"uuid": self.mount.uuid, "options": self.mount.options}))
            }
            "page" => {
                let keys = self.mount.storage.list_page("", tail, 2).await?;
                return Ok(Some(Response::list(keys, Map::new())));
            }
            "panic" => panic!("as asked for"),
            "put" => {
                let value = request
                    .data
                    .get("value")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let entry = Entry {
                    key: tail.to_owned(),
                    value: value.into(),
                    seal_wrap: true,
                };
                self.mount.storage.put(entry).await?;
                return Ok(None);
            }
            "delete" => {
                self.mount.storage.delete(tail).await?;
                return Ok(None);
            }
            "size" => Self::object(json!({"size": request.data["text"].as_str().unwrap().len()})),
            "system" => {
                let system = &self.mount.system;
                Self::object(json!({
                    "default": system.default_lease_ttl().await?.as_secs(),
                    "max": system.max_lease_ttl().await?.as_secs(),
                    "tainted": system.tainted().await?,
                    "local": system.local_mount().await?,
                    "state": system.replication_state().await?.0,
                    "version": system.host_info().await?.version,
                }))
            }
            "wait" => return Ok(Some(self.wait().await)),
            _ => return Err(Error::UnsupportedPath),
        };
        Ok(Some(Response::new(data)))
    }

    async fn exists(&self, request: Request) -> Result<Option<bool>, Error> {
        match request.path.split_once('/') {
            Some(("put", key)) => Ok(Some(self.mount.storage.get(key).await?.is_some())),
            Some(("panic", _)) => panic!("as asked for"),
            _ => Ok(None),
        }
    }

    async fn invalidate(&self, _key: &str) {}

    async fn cleanup(&self) {
        bump(&self.counters.cleaned);
    }
}
