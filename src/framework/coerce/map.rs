//! Objects.

use serde_json::Map;
use serde_json::Value;

use super::CoercionError;

const EXPECTED: &str = "an object";

/// An object, or an array of objects, merged.
pub(super) fn map(value: Value) -> Result<Map<String, Value>, CoercionError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Array(parts) => {
            let mut merged = Map::new();
            for part in parts {
                match part {
                    Value::Object(map) => merged.extend(map),
                    other => return Err(CoercionError::of(EXPECTED, &other)),
                }
            }
            Ok(merged)
        }
        other => Err(CoercionError::of(EXPECTED, &other)),
    }
}
