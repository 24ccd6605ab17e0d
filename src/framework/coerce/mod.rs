//! Conversions of what callers send, as lenient as Vault's framework, but nothing is cut, rounded or
//! guessed.
//!
//! The CLI sends every value as text, repeated keys as arrays of text and query strings likewise, so
//! that every type has to be able to read text.

mod header;
mod list;
mod mismatch;
mod number;
mod object;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

pub(crate) use self::mismatch::CoercionError;
use super::FieldType;
use super::duration;
use super::duration::DurationError;
use crate::secret::Secret;

/// What a field's conversion results in.  It has no `Debug`: it can hold a secret.
#[derive(Clone, PartialEq)]
pub(crate) enum FieldValue {
    Bool(bool),
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

/// Converts `value`; `None` is "unset": `null`.
pub(crate) fn coerce(kind: FieldType, value: Value) -> Result<Option<FieldValue>, CoercionError> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match kind {
        FieldType::Bool => FieldValue::Bool(scalar::boolean(&value)?),
        FieldType::CommaIntSlice => FieldValue::Integers(list::comma_integers(value)?),
        FieldType::CommaStringSlice => FieldValue::Strings(list::comma_strings(value)?),
        FieldType::Duration | FieldType::SignedDuration => {
            FieldValue::Seconds(seconds(kind, &value)?)
        }
        FieldType::Float => FieldValue::Float(number::float(&value)?),
        FieldType::Header => FieldValue::Headers(header::headers(value)?),
        FieldType::Int | FieldType::Int64 => FieldValue::Integer(number::integer(&value)?),
        FieldType::Json => FieldValue::Json(value),
        FieldType::KvPairs => FieldValue::Pairs(object::pairs(value)?),
        FieldType::Lowercase => FieldValue::Text(scalar::text(value)?.to_lowercase()),
        FieldType::Map => FieldValue::Map(object::map(value)?),
        FieldType::Name => FieldValue::Text(scalar::name(value)?),
        FieldType::Slice => FieldValue::List(list::values(value)),
        FieldType::String => FieldValue::Text(scalar::text(value)?),
        FieldType::StringSlice => FieldValue::Strings(list::strings(value)?),
        FieldType::Time => FieldValue::Time(scalar::instant(&value)?),
    }))
}

fn seconds(kind: FieldType, value: &Value) -> Result<i64, CoercionError> {
    const EXPECTED: &str = "a duration, in seconds or as text such as 90s, 1h30m or 7d";
    let because = |error: DurationError| CoercionError::because(EXPECTED, value, error.to_string());
    let seconds = match value {
        Value::String(text) => duration::parse_seconds(text).map_err(because)?,
        Value::Number(number) => match number::whole(number) {
            // Through the text, so that both forms have the same limit.
            Some(seconds) => duration::parse_seconds(&seconds.to_string()).map_err(because)?,
            None => return Err(because(duration::no_whole_seconds(number.as_f64()))),
        },
        _ => return Err(CoercionError::new(EXPECTED, value)),
    };
    if seconds < 0 && kind == FieldType::Duration {
        return Err(CoercionError::saying(
            "a duration that is not negative",
            format!("cannot provide negative value '{seconds}'"),
        ));
    }
    Ok(seconds)
}
