//! Numbers.

use serde_json::Number;
use serde_json::Value;

use super::CoercionError;

const INTEGER: &str = "a whole number of at most 64 bits";
const FLOAT: &str = "a number";

/// A whole number: fractions are cut off, text is read in Go's syntax, empty text is zero.
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

/// Go's syntax for integers: a sign, `0x`, `0o`, `0b` or a leading zero for octal, underscores between
/// digits.
fn parse(text: &str) -> Option<i64> {
    let (sign, magnitude) = match text.strip_prefix(['-', '+']) {
        Some(magnitude) => (if text.starts_with('-') { "-" } else { "" }, magnitude),
        None => ("", text),
    };
    let lower = magnitude.to_ascii_lowercase();
    let (radix, digits, prefixed) = match (lower.get(..2), lower.get(2..)) {
        (Some("0x"), Some(digits)) => (16, digits, true),
        (Some("0o"), Some(digits)) => (8, digits, true),
        (Some("0b"), Some(digits)) => (2, digits, true),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)?, true),
        _ => (10, lower.as_str(), false),
    };
    // A prefix may be followed by an underscore, a decimal number may not begin with one.
    let digits = if prefixed {
        digits.strip_prefix('_').unwrap_or(digits)
    } else {
        digits
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{}", joined(digits)?), radix).ok()
}

/// Without the underscores, where each stands between two others.
fn joined(digits: &str) -> Option<String> {
    let misplaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!misplaced).then(|| digits.replace('_', ""))
}
