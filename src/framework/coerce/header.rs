//! HTTP headers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Map;
use serde_json::Value;

use super::CoercionError;
use super::list;
use super::mismatch::shown;
use super::object;
use super::scalar;

const EXPECTED: &str =
    "a set of headers: an object, its JSON text (also in base64), or name:value texts";

/// An object of texts or text arrays, JSON text of one, base64 of that, or `name:value` texts.
pub(super) fn headers(value: Value) -> Result<BTreeMap<String, Vec<String>>, CoercionError> {
    match value {
        Value::Object(map) => from_map(map),
        Value::Array(parts) if parts.iter().all(Value::is_object) => {
            from_map(object::map(Value::Array(parts))?)
        }
        Value::Array(parts) => from_pairs(parts),
        Value::String(ref json) => {
            let decoded = BASE64_STANDARD
                .decode(json)
                .unwrap_or_else(|_| json.clone().into_bytes());
            let map = serde_json::from_slice(&decoded)
                .map_err(|_| CoercionError::new(EXPECTED, &value))?;
            from_map(map)
        }
        other => Err(CoercionError::new(EXPECTED, &other)),
    }
}

fn from_map(map: Map<String, Value>) -> Result<BTreeMap<String, Vec<String>>, CoercionError> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, values) in map {
        for value in list::values(values) {
            if !value.is_string() && !value.is_number() {
                let message = format!("header {name:?}: {} is not text", shown(&value));
                return Err(CoercionError::saying(EXPECTED, message));
            }
            headers
                .entry(canonical(&name))
                .or_default()
                .push(scalar::text(value)?);
        }
    }
    Ok(headers)
}

fn from_pairs(parts: Vec<Value>) -> Result<BTreeMap<String, Vec<String>>, CoercionError> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in parts {
        match part.as_str().and_then(|text| text.split_once(':')) {
            Some((name, value)) if !name.is_empty() => {
                headers
                    .entry(canonical(name))
                    .or_default()
                    .push(value.to_owned());
            }
            _ => {
                return Err(CoercionError::saying(
                    EXPECTED,
                    format!("invalid key pair {}", shown(&part)),
                ));
            }
        }
    }
    Ok(headers)
}

/// `content-type` as `Content-Type`; a name that HTTP does not allow stays as it is.
fn canonical(name: &str) -> String {
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return name.to_owned();
    }
    let mut start = true;
    name.chars()
        .map(|letter| {
            let canonical = if start {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            };
            start = letter == '-';
            canonical
        })
        .collect()
}
