//! The converted parameters of one request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use super::coerce::FieldValue;
use super::schema::Schema;
use crate::secret::Secret;

/// The declared parameters of a request, by name.
///
/// A getter answers the value that was sent, else the field's default, else `None`.  A parameter
/// that was sent as `null` (and a duration sent as `""`) counts as sent but has no value of
/// its own.  Asking for a field that the path does not declare, or for one of another type, is a
/// mistake in the engine: debug builds stop at it, release builds answer `None`.
///
/// It has no `Debug`: it can hold secrets.
#[derive(Clone)]
pub struct Fields {
    schema: Arc<Schema>,
    values: Arc<BTreeMap<&'static str, Option<FieldValue>>>,
    without_defaults: bool,
}

impl Default for Fields {
    /// No parameters: shared, because each renewal and revocation has them.
    fn default() -> Self {
        static NONE: LazyLock<Fields> =
            LazyLock::new(|| Fields::new(Arc::default(), BTreeMap::new()));
        NONE.clone()
    }
}

impl Fields {
    pub(crate) fn new(
        schema: Arc<Schema>,
        values: BTreeMap<&'static str, Option<FieldValue>>,
    ) -> Self {
        Self {
            schema,
            values: Arc::new(values),
            without_defaults: false,
        }
    }

    /// The same parameters without the defaults, for patches and updates of what exists.
    pub fn sent(&self) -> Self {
        Self {
            without_defaults: true,
            ..self.clone()
        }
    }

    /// Whether the caller sent `name`, be it as `null`; a value captured from the path counts.
    pub fn was_sent(&self, name: &str) -> bool {
        self.declared(name) && self.values.contains_key(name)
    }

    /// Whether `name` was sent as `null`, which in a merge patch means "remove".  A duration sent
    /// as `""` counts too.
    pub fn is_null(&self, name: &str) -> bool {
        self.declared(name) && matches!(self.values.get(name), Some(None))
    }

    /// What the path's template captured as `{name}`; where an optional `{name?}` is absent, the field's
    /// default, else nothing.
    pub fn captured(&self, name: &str) -> String {
        self.string(name).unwrap_or_default()
    }

    /// A string, lowercase or name field that is no secret.
    pub fn string(&self, name: &str) -> Option<String> {
        self.get(name, |value| match value {
            FieldValue::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A string, lowercase or name field that is declared as a secret.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name, |value| match value {
            FieldValue::Secret(secret) => Some(secret.clone()),
            _ => None,
        })
    }

    /// A bool field.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name, |value| match value {
            FieldValue::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// An int or int64 field.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name, |value| match value {
            FieldValue::Integer(integer) => Some(*integer),
            _ => None,
        })
    }

    /// A float field; always finite.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.get(name, |value| match value {
            FieldValue::Float(float) => Some(*float),
            _ => None,
        })
    }

    /// A duration field in whole seconds, negative only for a signed one.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        self.get(name, |value| match value {
            FieldValue::Seconds(seconds) => Some(*seconds),
            _ => None,
        })
    }

    /// A duration field; `None` also for a negative one.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.seconds(name)
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs)
    }

    /// A string slice or comma string slice field.
    pub fn strings(&self, name: &str) -> Option<Vec<String>> {
        self.get(name, |value| match value {
            FieldValue::Strings(strings) => Some(strings.clone()),
            _ => None,
        })
    }

    /// A comma int slice field.
    pub fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.get(name, |value| match value {
            FieldValue::Integers(integers) => Some(integers.clone()),
            _ => None,
        })
    }

    /// A JSON field: the value as it was sent.
    pub fn json(&self, name: &str) -> Option<Value> {
        self.get(name, |value| match value {
            FieldValue::Json(json) => Some(json.clone()),
            _ => None,
        })
    }

    /// A slice field.
    pub fn list(&self, name: &str) -> Option<Vec<Value>> {
        self.get(name, |value| match value {
            FieldValue::List(list) => Some(list.clone()),
            _ => None,
        })
    }

    /// A map field.
    pub fn map(&self, name: &str) -> Option<Map<String, Value>> {
        self.get(name, |value| match value {
            FieldValue::Map(map) => Some(map.clone()),
            _ => None,
        })
    }

    /// A key-value pairs field.
    pub fn pairs(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.get(name, |value| match value {
            FieldValue::Pairs(pairs) => Some(pairs.clone()),
            _ => None,
        })
    }

    /// A header field, by canonical header name (`Content-Type`).
    pub fn headers(&self, name: &str) -> Option<BTreeMap<String, Vec<String>>> {
        self.get(name, |value| match value {
            FieldValue::Headers(headers) => Some(headers.clone()),
            _ => None,
        })
    }

    /// A time field, in UTC.
    pub fn time(&self, name: &str) -> Option<OffsetDateTime> {
        self.get(name, |value| match value {
            FieldValue::Time(time) => Some(*time),
            _ => None,
        })
    }

    fn get<T>(&self, name: &str, take: impl Fn(&FieldValue) -> Option<T>) -> Option<T> {
        if !self.declared(name) {
            return None;
        }
        let sent = self.values.get(name).and_then(Option::as_ref);
        let default = if self.without_defaults {
            None
        } else {
            self.schema.default_of(name)
        };
        let value = sent.or(default)?;
        let taken = take(value);
        debug_assert!(taken.is_some(), "field {name:?} is of another type");
        taken
    }

    fn declared(&self, name: &str) -> bool {
        let declared = self.schema.get(name).is_some();
        debug_assert!(declared, "field {name:?} is not declared by this path");
        declared
    }
}
