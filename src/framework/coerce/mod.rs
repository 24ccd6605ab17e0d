//! Conversions of what callers send, as lenient as Vault's framework and no more.
//!
//! The CLI sends every value as text, repeated keys as arrays of text and query strings likewise, so
//! that every type has to be able to read text.

mod flag;
mod header;
mod list;
mod map;
mod mismatch;
mod number;
mod pairs;
#[cfg(test)]
mod tests;
mod text;
mod time;

use serde_json::Value;

pub(crate) use self::mismatch::CoercionError;
use super::FieldType;
use super::duration;
use super::value::FieldValue;

/// Converts `value`; `None` is "unset": `null`, and an empty text for durations.
pub(crate) fn coerce(kind: FieldType, value: Value) -> Result<Option<FieldValue>, CoercionError> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match kind {
        FieldType::Bool => FieldValue::Flag(flag::flag(&value)?),
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
        FieldType::KvPairs => FieldValue::Pairs(pairs::pairs(value)?),
        FieldType::Lowercase => FieldValue::Text(text::text(value)?.to_lowercase()),
        FieldType::Map => FieldValue::Map(map::map(value)?),
        FieldType::Name => FieldValue::Text(text::name(value)?),
        FieldType::Slice => FieldValue::List(list::values(value)),
        FieldType::String => FieldValue::Text(text::text(value)?),
        FieldType::StringSlice => FieldValue::Strings(list::strings(value)?),
        FieldType::Time => FieldValue::Time(time::time(&value)?),
    }))
}

fn seconds(kind: FieldType, value: &Value) -> Result<Option<i64>, CoercionError> {
    const EXPECTED: &str = "a duration, in seconds or as text such as 90s, 1h30m or 7d";
    let seconds = match value {
        Value::String(text) => duration::parse_seconds(text)
            .map_err(|error| CoercionError::because(EXPECTED, value, error.to_string()))?,
        Value::Number(number) => {
            let seconds =
                number::whole(number).ok_or_else(|| CoercionError::of(EXPECTED, value))?;
            // Through the text, so that both forms have the same limit.
            duration::parse_seconds(&seconds.to_string())
                .map_err(|error| CoercionError::because(EXPECTED, value, error.to_string()))?
        }
        _ => return Err(CoercionError::of(EXPECTED, value)),
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
