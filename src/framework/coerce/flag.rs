//! Truth values.

use serde_json::Value;

use super::CoercionError;

const EXPECTED: &str = "true or false";

/// A bool, a number (anything but zero is true) or one of Go's words.
pub(super) fn flag(value: &Value) -> Result<bool, CoercionError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" | "" => Ok(false),
            _ => Err(CoercionError::of(EXPECTED, value)),
        },
        _ => Err(CoercionError::of(EXPECTED, value)),
    }
}
