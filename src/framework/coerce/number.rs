//! Numbers.

use serde_json::Number;
use serde_json::Value;

use super::CoercionError;

const INTEGER: &str = "a whole number in decimal digits, of at most 64 bits";
const FLOAT: &str = "a number";

/// A whole number: fractions are cut off, text is decimal, empty text is zero.
///
/// Vault's own library takes a leading zero for octal, so that a limit of "010" is 8; no one means that,
/// and it is refused.
pub(super) fn integer(value: &Value) -> Result<i64, CoercionError> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Number(number) => whole(number),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => parse(text),
        _ => None,
    }
    .ok_or_else(|| CoercionError::new(INTEGER, value))
}

/// A finite number; empty text is zero.
pub(super) fn float(value: &Value) -> Result<f64, CoercionError> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.is_empty() => Some(0.0),
        Value::String(text) => joined(text).and_then(|digits| digits.parse().ok()),
        _ => None,
    }
    .filter(|float| float.is_finite())
    .ok_or_else(|| CoercionError::new(FLOAT, value))
}

/// The whole part of a JSON number, where 64 bits hold it.
pub(super) fn whole(number: &Number) -> Option<i64> {
    // The smallest float that does not fit.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|_| number.is_f64())?.trunc();
        #[allow(clippy::cast_possible_truncation)] // it is whole and within the bounds
        (-BEYOND..BEYOND).contains(&float).then_some(float as i64)
    })
}

/// A sign, and decimal digits without a leading zero, with underscores between them as in Go.
fn parse(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let is_padded = digits.len() > 1 && digits.starts_with('0');
    if is_padded || digits.starts_with(['-', '+']) {
        return None;
    }
    format!("{sign}{}", joined(digits)?).parse().ok()
}

/// Without the underscores, where each stands between two others.
fn joined(digits: &str) -> Option<String> {
    let misplaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!misplaced).then(|| digits.replace('_', ""))
}
