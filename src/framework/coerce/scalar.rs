//! Single values: bools, texts, names, times.

use serde_json::Value;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::CoercionError;
use super::mismatch::shown;
use super::number;
use crate::framework::name::NAME_RULE;
use crate::framework::name::is_name;

const BOOL: &str = "true or false";
const TIME: &str = "a time, in RFC 3339 such as 2026-01-31T12:00:00Z or in seconds since 1970";

/// A bool, 1 or 0, or one of Go's words.
pub(super) fn boolean(value: &Value) -> Result<bool, CoercionError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => match number::whole(number) {
            Some(1) => Ok(true),
            Some(0) => Ok(false),
            _ => Err(CoercionError::new(BOOL, value)),
        },
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(CoercionError::new(BOOL, value)),
        },
        _ => Err(CoercionError::new(BOOL, value)),
    }
}

/// Text, or a whole number.  What JSON writes in more than one way is no text: which was meant is not known
/// any more.
pub(super) fn text(value: Value) -> Result<String, CoercionError> {
    const QUOTED: &str = "put it in quotation marks";
    match value {
        Value::String(text) => Ok(text),
        Value::Number(ref number) if !number.is_f64() => Ok(number.to_string()),
        Value::Bool(_) | Value::Number(_) => Err(CoercionError::because("text", &value, QUOTED)),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(CoercionError::new("text", &value)),
    }
}

/// Text that is a Vault name.
pub(super) fn name(value: Value) -> Result<String, CoercionError> {
    let name = text(value)?;
    if is_name(&name) {
        return Ok(name);
    }
    let value = Value::String(name);
    let message = format!("{} {NAME_RULE}", shown(&value));
    Err(CoercionError::saying("a name", message))
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
