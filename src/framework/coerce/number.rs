//! Numbers.

use serde_json::Number;
use serde_json::Value;

use super::CoercionError;

const INTEGER: &str = "a whole number in decimal digits, of at most 64 bits";
const FLOAT: &str = "a number";

/// A whole number, also as decimal text.
///
/// Vault's own library cuts fractions off, and takes true for 1, an empty text for 0 and a leading zero
/// for octal, so that a limit of "010" is 8; no one means any of that, and it is refused.
pub(super) fn integer(value: &Value) -> Result<i64, CoercionError> {
    match value {
        Value::Number(number) => whole(number),
        Value::String(text) => parse(text),
        _ => None,
    }
    .ok_or_else(|| CoercionError::new(INTEGER, value))
}

/// A finite number, also as text.
pub(super) fn float(value: &Value) -> Result<f64, CoercionError> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => joined(text).and_then(|digits| digits.parse().ok()),
        _ => None,
    }
    .filter(|float| float.is_finite())
    .ok_or_else(|| CoercionError::new(FLOAT, value))
}

/// A JSON number that is whole, where 64 bits hold it.
pub(super) fn whole(number: &Number) -> Option<i64> {
    // The smallest float that does not fit.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|_| number.is_f64())?;
        let is_whole = float.fract() == 0.0 && (-BEYOND..BEYOND).contains(&float);
        #[allow(clippy::cast_possible_truncation)] // it is whole and within the bounds
        is_whole.then_some(float as i64)
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
