//! One answer to the host.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

/// A successful answer.  However it is put together, its wire form is valid: data and internal
/// data are always JSON objects, a lease always carries an issue time.
#[derive(Default)]
pub struct Response {
    pub(crate) data: Map<String, Value>,
    pub(crate) lease: Option<Lease>,
    pub(crate) warnings: Vec<String>,
    pub(crate) undo: Option<Undo>,
}

pub(crate) type Undo = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A lease to be created or extended.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// How long the lease lasts; zero lets the host decide.  The host caps it.
    pub ttl: Duration,
    /// How long it may last in all, counted from its issue; zero means the mount's maximum.
    pub max_ttl: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// What renew and revoke will need; the host keeps it encrypted and never shows it.
    pub internal_data: Map<String, Value>,
}

impl Response {
    /// An answer with `data`.
    pub fn new(data: Map<String, Value>) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// The answer to a list: `keys`, and `key_info` where there is any.
    pub fn list(keys: Vec<String>, key_info: Map<String, Value>) -> Self {
        let mut data = Map::new();
        if !keys.is_empty() {
            data.insert("keys".to_owned(), keys.into());
        }
        if !key_info.is_empty() {
            data.insert("key_info".to_owned(), Value::Object(key_info));
        }
        Self::new(data)
    }

    /// The answer to a write that has nothing to show but `warnings`: without any there is none, and
    /// the host says HTTP 204.
    pub fn to_write(warnings: Vec<String>) -> Option<Self> {
        let answer = Self::default().with_warnings(warnings);
        (!answer.warnings.is_empty()).then_some(answer)
    }

    /// Puts the answer under a lease.
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Adds a warning that the host shows to the caller.
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Adds warnings that the host shows to the caller.
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// What to do if this answer cannot be handed to the host, because the caller is gone: it runs
    /// to its end in a task of its own.
    pub fn on_undelivered(mut self, undo: impl Future<Output = ()> + Send + 'static) -> Self {
        self.undo = Some(Box::pin(undo));
        self
    }

    /// The data.
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// The lease.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The warnings.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
