//! A converted parameter.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use crate::secret::Secret;

/// What a field's conversion comes to.  It has no `Debug`: it can hold a secret.
#[derive(Clone, PartialEq)]
pub(crate) enum FieldValue {
    Flag(bool),
    Float(f64),
    Headers(BTreeMap<String, Vec<String>>),
    Integer(i64),
    Integers(Vec<i64>),
    Json(Value),
    List(Vec<Value>),
    Map(Map<String, Value>),
    Pairs(BTreeMap<String, String>),
    Seconds(i64),
    Secret(Secret),
    Strings(Vec<String>),
    Text(String),
    Time(OffsetDateTime),
}
