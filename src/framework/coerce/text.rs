//! Texts.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::CoercionError;
use crate::framework::pattern::NAME;

static NAME_ONLY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^(?:{NAME})$")).ok());

/// Text; numbers become decimal text, bools `1` and `0`.
pub(super) fn text(value: Value) -> Result<String, CoercionError> {
    match value {
        Value::Bool(flag) => Ok(if flag { "1" } else { "0" }.to_owned()),
        Value::Null => Ok(String::new()),
        Value::Number(number) => Ok(match number.as_f64() {
            // Decimal, where JSON would use an exponent.
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        }),
        Value::String(text) => Ok(text),
        Value::Array(_) | Value::Object(_) => Err(CoercionError::of("text", &value)),
    }
}

/// Text that is a Vault name.
pub(super) fn name(value: Value) -> Result<String, CoercionError> {
    const EXPECTED: &str =
        "a name: letters, digits, underscores, and between them hyphens and dots";
    let name = text(value)?;
    if NAME_ONLY
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(&name))
    {
        Ok(name)
    } else {
        Err(CoercionError::of(EXPECTED, &Value::String(name)))
    }
}
