//! Lists.

use serde_json::Value;

use super::CoercionError;
use super::number;
use super::scalar;

/// An array; anything else becomes its only element, an empty object none.
pub(super) fn values(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Object(map) if map.is_empty() => Vec::new(),
        other => vec![other],
    }
}

/// An array of texts, or a single text; each trimmed.
pub(super) fn strings(value: Value) -> Result<Vec<String>, CoercionError> {
    match value {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        other => Ok(trimmed(texts(other)?)),
    }
}

/// An array of texts, or text split at commas; each trimmed.
pub(super) fn comma_strings(value: Value) -> Result<Vec<String>, CoercionError> {
    Ok(trimmed(texts(split(value))?))
}

/// An array of whole numbers, or text split at commas.
pub(super) fn comma_integers(value: Value) -> Result<Vec<i64>, CoercionError> {
    values(split(value))
        .into_iter()
        .map(|value| match value {
            Value::String(text) => number::integer(&text.trim().into()),
            other => number::integer(&other),
        })
        .collect()
}

/// The elements as text, as they are.
pub(super) fn texts(value: Value) -> Result<Vec<String>, CoercionError> {
    if value.is_object() {
        return Err(CoercionError::new("a list of texts", &value));
    }
    values(value).into_iter().map(scalar::text).collect()
}

fn split(value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Array(Vec::new()),
        Value::String(text) => text.split(',').collect(),
        other => other,
    }
}

fn trimmed(texts: Vec<String>) -> Vec<String> {
    texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .collect()
}
