//! Doubles for this module's tests: a host and a small engine.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;

use super::Builder;
use super::Framework;
use crate::vault::HostInfo;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::ReplicationState;
use crate::vault::Request;
use crate::vault::SystemError;
use crate::vault::SystemView;

/// The engine's state in these tests: what its handlers were asked.
#[derive(Default)]
pub(crate) struct Shelf {
    notes: Mutex<Vec<String>>,
}

impl Shelf {
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.lock().push(note.into());
    }

    /// Takes the notes.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock())
    }
}

/// A host that tells its version, or fails to.
pub(crate) struct Host(pub(crate) Option<&'static str>);

#[async_trait]
impl SystemView for Host {
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(Duration::ZERO)
    }

    async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(Duration::ZERO)
    }

    async fn tainted(&self) -> Result<bool, SystemError> {
        Ok(false)
    }

    async fn local_mount(&self) -> Result<bool, SystemError> {
        Ok(false)
    }

    async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        Ok(ReplicationState(0))
    }

    async fn host_info(&self) -> Result<HostInfo, SystemError> {
        match self.0 {
            Some(version) => Ok(HostInfo {
                version: version.to_owned(),
                ..HostInfo::default()
            }),
            None => Err(SystemError {
                call: "PluginEnv",
                cause: "unavailable".to_owned(),
            }),
        }
    }
}

/// An empty engine on a host of version 1.21.0.
pub(crate) fn builder() -> Builder<Shelf> {
    Framework::builder(Arc::new(Shelf::default()), Arc::new(Host(Some("1.21.0"))))
}

/// A request; `data` has to be an object.
pub(crate) fn request(operation: Operation, path: &str, data: Value) -> Request {
    let data = match data {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    Request::new(operation, path, data)
}

/// A request on a lease whose internal data is `internal`.
pub(crate) fn lease_request(operation: Operation, internal: Value) -> Request {
    let mut request = request(operation, "books/moby", Value::Null);
    request.lease = Some(LeaseInfo {
        internal_data: match internal {
            Value::Object(map) => map,
            _ => Map::new(),
        },
        ttl: Duration::from_secs(60),
        max_ttl: Duration::from_secs(600),
        increment: Duration::ZERO,
        issue_time: None,
        lease_id: String::new(),
    });
    request
}

/// Runs what never waits.
#[allow(clippy::panic)]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
