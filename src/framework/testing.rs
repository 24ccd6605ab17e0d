//! A small engine, and requests to it, for this module's tests.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;

use super::Builder;
use super::Framework;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::memory::FixedSystem;

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

/// A host that tells its version, or refuses to.
pub(crate) fn host(version: Option<&str>) -> Arc<FixedSystem> {
    Arc::new(FixedSystem {
        version: version.unwrap_or_default().to_owned(),
        hides_version: version.is_none(),
        ..FixedSystem::default()
    })
}

/// An empty engine on a host of version 1.21.0.
pub(crate) fn builder() -> Builder<Shelf> {
    Framework::builder(Arc::new(Shelf::default()), host(Some("1.21.0")))
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
