//! A value that a field does not take.

use std::fmt::Display;
use std::fmt::Formatter;
use std::fmt::Result;

use serde_json::Value;

/// The most characters of a value that an error repeats.
const SHOWN: usize = 64;

/// Why a value does not convert.
///
/// It displays what was expected and what came instead; for secrets there is
/// [`CoercionError::without_value`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CoercionError {
    expected: &'static str,
    message: String,
}

impl CoercionError {
    /// `value` is of another kind.
    pub(crate) fn new(expected: &'static str, value: &Value) -> Self {
        Self {
            expected,
            message: format!("{} is not {expected}", shown(value)),
        }
    }

    /// `value` is of the right kind, but `cause`.
    pub(crate) fn because(expected: &'static str, value: &Value, cause: impl Display) -> Self {
        Self {
            expected,
            message: format!("{} is not {expected}: {cause}", shown(value)),
        }
    }

    /// With a text of its own.
    pub(crate) fn saying(expected: &'static str, message: String) -> Self {
        Self { expected, message }
    }

    /// The message for a value that must not be repeated.
    pub(crate) fn without_value(&self) -> String {
        format!("the value is not {}", self.expected)
    }
}

impl Display for CoercionError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(&self.message)
    }
}

/// The beginning of `value` as JSON. What is cut of a text is marked behind its closing quotation mark.
pub(crate) fn shown(value: &Value) -> String {
    let json;
    let whole = match value {
        Value::String(text) => text,
        other => {
            json = other.to_string();
            &json
        }
    };
    let Some((end, _)) = whole.char_indices().nth(SHOWN) else {
        return value.to_string();
    };
    let start = whole.get(..end).unwrap_or_default();
    match value {
        Value::String(_) => format!("{}…", Value::from(start)),
        _ => format!("{start}…"),
    }
}
