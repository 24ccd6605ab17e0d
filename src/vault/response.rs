//! One answer to the host.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::Error;

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

impl Lease {
    /// Lets the lease be renewed until `max_ttl` after its issue; zero means the mount's maximum.
    pub fn renewable_up_to(mut self, max_ttl: Duration) -> Self {
        self.renewable = true;
        self.max_ttl = max_ttl;
        self
    }

    /// Adds what renew and revoke will need.
    pub fn with_internal_data(mut self, data: impl IntoIterator<Item = (String, Value)>) -> Self {
        self.internal_data.extend(data);
        self
    }
}

impl Response {
    /// An answer with `data`.
    pub fn new(data: Map<String, Value>) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// An answer with `data`, which is `json!({…})` or a struct.
    ///
    /// # Errors
    /// [`Error::Internal`] if `data` does not become a JSON object.
    pub fn json(data: impl Serialize) -> Result<Self, Error> {
        match serde_json::to_value(data) {
            Ok(Value::Object(data)) => Ok(Self::new(data)),
            Ok(_) => Err(Error::Internal("the answer is not an object".to_owned())),
            Err(error) => Err(Error::Internal(format!(
                "the answer does not encode: {error}"
            ))),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_an_object() {
        let response = Response::json(json!({"a": 1})).unwrap();
        assert_eq!(Value::Object(response.data), json!({"a": 1}));
        for wrong in [json!(null), json!([1]), json!("text")] {
            let error = Response::json(&wrong).err();
            let expected = Error::Internal("the answer is not an object".to_owned());
            assert_eq!(error, Some(expected), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_is_no_text_does_not_encode() {
        let map = std::collections::BTreeMap::from([(vec![1], 1)]);
        let Err(Error::Internal(error)) = Response::json(map) else {
            unreachable!("keys of JSON objects are texts");
        };
        assert!(error.starts_with("the answer does not encode: "), "{error}");
    }
}
