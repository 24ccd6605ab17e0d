//! Conversions of what callers send, as lenient as Vault's framework and no more.
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

/// Converts `value`; `None` is "unset": `null`, and an empty text for durations.
pub(crate) fn coerce(kind: FieldType, value: Value) -> Result<Option<FieldValue>, CoercionError> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match kind {
        FieldType::Bool => FieldValue::Bool(scalar::boolean(&value)?),
        FieldType::CommaIntSlice => FieldValue::Integers(list::comma_integers(value)?),
        FieldType::CommaStringSlice => FieldValue::Strings(list::comma_strings(value)?),
        FieldType::Duration | FieldType::SignedDuration => match seconds(kind, &value)? {
            Some(seconds) => FieldValue::Seconds(seconds),
            None => return Ok(None),
        },
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

fn seconds(kind: FieldType, value: &Value) -> Result<Option<i64>, CoercionError> {
    const EXPECTED: &str = "a duration, in seconds or as text such as 90s, 1h30m or 7d";
    let seconds = match value {
        Value::String(text) => duration::parse_seconds(text)
            .map_err(|error| CoercionError::because(EXPECTED, value, error.to_string()))?,
        Value::Number(number) => {
            let seconds =
                number::whole(number).ok_or_else(|| CoercionError::new(EXPECTED, value))?;
            if seconds == 0 && number.as_f64().is_some_and(|number| number != 0.0) {
                let cause = DurationError::TooShort.to_string();
                return Err(CoercionError::because(EXPECTED, value, cause));
            }
            // Through the text, so that both forms have the same limit.
            duration::parse_seconds(&seconds.to_string())
                .map_err(|error| CoercionError::because(EXPECTED, value, error.to_string()))?
        }
        _ => return Err(CoercionError::new(EXPECTED, value)),
    };
    match seconds {
        Some(negative) if negative < 0 && kind == FieldType::Duration => {
            Err(CoercionError::saying(
                "a duration that is not negative",
                format!("cannot provide negative value '{negative}'"),
            ))
        }
        seconds => Ok(seconds),
    }
}
