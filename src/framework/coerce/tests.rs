//! Tables of inputs and what they convert to.

#![allow(clippy::unwrap_used, clippy::panic)]

mod collections;
mod properties;
mod scalars;

use ::time::format_description::well_known::Rfc3339;
use serde_json::json;

use super::*;

const ALL: [FieldType; 18] = [
    FieldType::Bool,
    FieldType::CommaIntSlice,
    FieldType::CommaStringSlice,
    FieldType::Duration,
    FieldType::Float,
    FieldType::Header,
    FieldType::Int,
    FieldType::Int64,
    FieldType::KvPairs,
    FieldType::Lowercase,
    FieldType::Json,
    FieldType::Map,
    FieldType::Name,
    FieldType::SignedDuration,
    FieldType::Slice,
    FieldType::String,
    FieldType::StringSlice,
    FieldType::Time,
];

/// The value as JSON, for comparison.
fn json_of(value: FieldValue) -> Value {
    match value {
        FieldValue::Bool(flag) => json!(flag),
        FieldValue::Float(float) => json!(float),
        FieldValue::Headers(headers) => json!(headers),
        FieldValue::Integer(integer) | FieldValue::Seconds(integer) => json!(integer),
        FieldValue::Integers(integers) => json!(integers),
        FieldValue::Json(json) => json,
        FieldValue::List(list) => json!(list),
        FieldValue::Map(map) => json!(map),
        FieldValue::Pairs(pairs) => json!(pairs),
        FieldValue::Secret(_) => json!("a secret"),
        FieldValue::Strings(strings) => json!(strings),
        FieldValue::Text(text) => json!(text),
        FieldValue::Time(time) => json!(time.format(&Rfc3339).unwrap()),
    }
}

/// Every input converts to its output.
fn check(kinds: &[FieldType], table: &[(Value, Value)]) {
    for kind in kinds {
        for (input, expected) in table {
            match coerce(*kind, input.clone()) {
                Ok(Some(value)) => assert_eq!(json_of(value), *expected, "{kind:?} of {input}"),
                Ok(None) => panic!("{kind:?} of {input} is unset"),
                Err(mismatch) => panic!("{kind:?} of {input}: {mismatch}"),
            }
        }
    }
}

/// No input converts.
fn refuse(kinds: &[FieldType], inputs: &[Value]) {
    for kind in kinds {
        for input in inputs {
            assert!(coerce(*kind, input.clone()).is_err(), "{kind:?} of {input}");
        }
    }
}

#[test]
fn json_is_taken_as_it_is() {
    let values = [
        json!({"a": [1]}),
        json!("{\"a\":[1]}"),
        json!([1]),
        json!(""),
    ];
    let same = values.map(|value| (value.clone(), value));
    check(&[FieldType::Json], &same);
}

#[test]
fn null_is_unset_for_every_type() {
    for kind in ALL {
        assert!(coerce(kind, Value::Null).unwrap().is_none(), "{kind:?}");
    }
}

#[test]
fn messages_name_value_and_remedy() {
    for (kind, input, message) in [
        (
            FieldType::Bool,
            json!("yes"),
            r#""yes" is not true or false"#,
        ),
        (
            FieldType::Int,
            json!("many"),
            r#""many" is not a whole number in decimal digits, of at most 64 bits"#,
        ),
        (
            FieldType::Duration,
            json!(-5),
            "cannot provide negative value '-5'",
        ),
        (
            FieldType::Duration,
            json!("-1h"),
            "cannot provide negative value '-3600'",
        ),
        (
            FieldType::Duration,
            json!("1w"),
            r#""1w" is not a duration, in seconds or as text such as 90s, 1h30m or 7d: the unit "w" is unknown; use ns, us, ms, s, m or h, or whole days as in 7d"#,
        ),
        (FieldType::KvPairs, json!(["k"]), r#"invalid key pair "k""#),
        (FieldType::Map, json!("a=b"), r#""a=b" is not an object"#),
        (FieldType::String, json!(["a"]), r#"["a"] is not text"#),
    ] {
        let mismatch = coerce(kind, input).err().unwrap();
        assert_eq!(mismatch.to_string(), message);
    }
    let long = coerce(FieldType::Int, json!("x".repeat(1000)))
        .err()
        .unwrap()
        .to_string();
    assert!(long.chars().count() < 150, "{long}");
}
