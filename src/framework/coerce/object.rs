//! Objects, and pairs of texts.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use super::CoercionError;
use super::list;
use super::scalar;

const EXPECTED: &str = "a set of key=value pairs";

/// An object of scalars, or texts of the form `key=value`.
pub(super) fn pairs(value: Value) -> Result<BTreeMap<String, String>, CoercionError> {
    let is_object = match &value {
        Value::Object(_) => true,
        Value::Array(parts) => parts.iter().all(Value::is_object),
        _ => false,
    };
    if is_object {
        return map(value)?
            .into_iter()
            .map(|(key, value)| match scalar::text(value) {
                Ok(text) => Ok((key, text)),
                Err(mismatch) => Err(CoercionError::saying(
                    EXPECTED,
                    format!("the value of {key:?}: {mismatch}"),
                )),
            })
            .collect();
    }
    list::texts(value)?
        .into_iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(CoercionError::saying(
                EXPECTED,
                format!(
                    "invalid key pair {}",
                    super::mismatch::shown(&Value::String(text))
                ),
            )),
        })
        .collect()
}

/// An object, or an array of objects, merged.
pub(super) fn map(value: Value) -> Result<Map<String, Value>, CoercionError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Array(parts) => {
            let mut merged = Map::new();
            for part in parts {
                match part {
                    Value::Object(map) => merged.extend(map),
                    other => return Err(CoercionError::new("an object", &other)),
                }
            }
            Ok(merged)
        }
        other => Err(CoercionError::new("an object", &other)),
    }
}
