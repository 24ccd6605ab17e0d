//! Single values: bools, texts, names, times.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::CoercionError;
use super::number;
use crate::framework::pattern::NAME;

const BOOL: &str = "true or false";
const TIME: &str = "a time, in RFC 3339 such as 2026-01-31T12:00:00Z or in seconds since 1970";

static NAME_ONLY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^(?:{NAME})$")).ok());

/// A bool, a number (anything but zero is true) or one of Go's words.
pub(super) fn boolean(value: &Value) -> Result<bool, CoercionError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" | "" => Ok(false),
            _ => Err(CoercionError::new(BOOL, value)),
        },
        _ => Err(CoercionError::new(BOOL, value)),
    }
}

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
        Value::Array(_) | Value::Object(_) => Err(CoercionError::new("text", &value)),
    }
}

/// Text that is a Vault name.
pub(super) fn name(value: Value) -> Result<String, CoercionError> {
    const EXPECTED: &str =
        "a name: letters, digits, underscores, and between them hyphens and single dots";
    let name = text(value)?;
    if NAME_ONLY
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(&name))
        // Names become storage keys, in which hosts refuse a way upwards.
        && !name.contains("..")
    {
        Ok(name)
    } else {
        Err(CoercionError::new(EXPECTED, &Value::String(name)))
    }
}

/// RFC 3339 or unix seconds, in UTC.
pub(super) fn instant(value: &Value) -> Result<OffsetDateTime, CoercionError> {
    match value {
        Value::Number(number) => from_unix(number::whole(number)),
        Value::String(text) => from_unix(text.parse().ok())
            .or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok())
            .and_then(|time| time.checked_to_offset(UtcOffset::UTC)),
        _ => None,
    }
    .ok_or_else(|| CoercionError::new(TIME, value))
}

fn from_unix(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}
