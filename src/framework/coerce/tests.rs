#![allow(clippy::unwrap_used, clippy::panic)]

use ::time::format_description::well_known::Rfc3339;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ALL: [FieldType; 17] = [
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
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Float(float) => json!(float),
        FieldValue::Headers(headers) => json!(headers),
        FieldValue::Integer(integer) | FieldValue::Seconds(integer) => json!(integer),
        FieldValue::Integers(integers) => json!(integers),
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
fn null_is_unset_for_every_type() {
    for kind in ALL {
        assert!(coerce(kind, Value::Null).unwrap().is_none(), "{kind:?}");
    }
}

#[test]
fn strings() {
    check(
        &[FieldType::String],
        &[
            (json!(""), json!("")),
            (json!(" a b "), json!(" a b ")),
            (json!("ÄB"), json!("ÄB")),
            (json!(true), json!("1")),
            (json!(false), json!("0")),
            (json!(0), json!("0")),
            (json!(-7), json!("-7")),
            (json!(3.7), json!("3.7")),
            (json!(1e21), json!("1000000000000000000000")),
            (json!(i64::MAX), json!("9223372036854775807")),
            (json!(u64::MAX), json!("18446744073709551615")),
        ],
    );
    check(
        &[FieldType::Lowercase],
        &[(json!("AbC-Ä"), json!("abc-ä")), (json!(5), json!("5"))],
    );
    check(
        &[FieldType::Name],
        &[
            (json!("a"), json!("a")),
            (json!("a-b.C_9"), json!("a-b.C_9")),
            (json!(7), json!("7")),
        ],
    );
    refuse(
        &[FieldType::String, FieldType::Lowercase, FieldType::Name],
        &[json!([]), json!(["a"]), json!({}), json!({"a": 1})],
    );
    refuse(
        &[FieldType::Name],
        &[
            json!(""),
            json!("-a"),
            json!("a."),
            json!("a/b"),
            json!("a b"),
            json!("ä"),
            json!("a\n"),
            json!(-7),
        ],
    );
}

#[test]
fn integers() {
    check(
        &[FieldType::Int, FieldType::Int64],
        &[
            (json!(0), json!(0)),
            (json!(i64::MIN), json!(i64::MIN)),
            (json!(i64::MAX), json!(i64::MAX)),
            (
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_993_i64),
            ),
            (json!(3.7), json!(3)),
            (json!(-3.7), json!(-3)),
            (json!(true), json!(1)),
            (json!(false), json!(0)),
            (json!(""), json!(0)),
            (json!("42"), json!(42)),
            (json!("-42"), json!(-42)),
            (json!("+5"), json!(5)),
            (json!("0x1F"), json!(31)),
            (json!("-0x10"), json!(-16)),
            (json!("0o17"), json!(15)),
            (json!("0b11"), json!(3)),
            (json!("017"), json!(15)),
            (json!("1_000"), json!(1000)),
            (json!("0x_1"), json!(1)),
            (json!("0_7"), json!(7)),
            (json!("-9223372036854775808"), json!(i64::MIN)),
        ],
    );
    refuse(
        &[FieldType::Int, FieldType::Int64],
        &[
            json!("abc"),
            json!("true"),
            json!("1.5"),
            json!("1e3"),
            json!(" 5"),
            json!("5 "),
            json!("08"),
            json!("0x"),
            json!("_1"),
            json!("1_"),
            json!("1__0"),
            json!("--1"),
            json!("0x-1"),
            json!("٣"),
            json!("9223372036854775808"),
            json!(u64::MAX),
            json!(1e21),
            json!(-1e21),
            json!([1]),
            json!({}),
        ],
    );
}

#[test]
fn floats() {
    check(
        &[FieldType::Float],
        &[
            (json!(1.5), json!(1.5)),
            (json!(-7), json!(-7.0)),
            (json!("1.5"), json!(1.5)),
            (json!("1e3"), json!(1000.0)),
            (json!("1_000"), json!(1000.0)),
            (json!(""), json!(0.0)),
            (json!(true), json!(1.0)),
        ],
    );
    let bad = [
        json!("abc"),
        json!("inf"),
        json!("NaN"),
        json!("1e999"),
        json!(" 1"),
        json!([]),
        json!({}),
    ];
    refuse(&[FieldType::Float], &bad);
}

#[test]
fn bools() {
    for yes in [
        json!(true),
        json!(1),
        json!(-0.5),
        json!("1"),
        json!("t"),
        json!("T"),
        json!("TRUE"),
        json!("true"),
        json!("True"),
    ] {
        check(&[FieldType::Bool], &[(yes, json!(true))]);
    }
    for no in [
        json!(false),
        json!(0),
        json!(0.0),
        json!(""),
        json!("0"),
        json!("f"),
        json!("F"),
        json!("FALSE"),
        json!("false"),
        json!("False"),
    ] {
        check(&[FieldType::Bool], &[(no, json!(false))]);
    }
    refuse(
        &[FieldType::Bool],
        &[
            json!("yes"),
            json!("tRUE"),
            json!("2"),
            json!(" true"),
            json!([]),
            json!({}),
        ],
    );
}

#[test]
fn maps_and_pairs() {
    check(
        &[FieldType::Map],
        &[
            (json!({}), json!({})),
            (
                json!({"a": [1, {"b": null}]}),
                json!({"a": [1, {"b": null}]}),
            ),
            (json!([{"a": 1, "b": 2}, {"b": 3}]), json!({"a": 1, "b": 3})),
            (json!([]), json!({})),
        ],
    );
    refuse(
        &[FieldType::Map],
        &[
            json!(""),
            json!("a=b"),
            json!("{}"),
            json!(1),
            json!(true),
            json!(["a"]),
        ],
    );
    check(
        &[FieldType::KvPairs],
        &[
            (
                json!({"a": "b", "c": true, "d": 1.5}),
                json!({"a": "b", "c": "1", "d": "1.5"}),
            ),
            (json!({"a": null}), json!({"a": ""})),
            (
                json!(["a=b", "c=d=e", "f="]),
                json!({"a": "b", "c": "d=e", "f": ""}),
            ),
            (json!("a=b"), json!({"a": "b"})),
            (json!("a=b,c=d"), json!({"a": "b,c=d"})),
            (json!([{"a": 1}, {"b": 2}]), json!({"a": "1", "b": "2"})),
            (json!({}), json!({})),
            (json!([]), json!({})),
        ],
    );
    refuse(
        &[FieldType::KvPairs],
        &[
            json!(""),
            json!("a"),
            json!("=b"),
            json!(["a=b", "c"]),
            json!({"a": [1]}),
            json!(5),
        ],
    );
}

#[test]
fn slices() {
    check(
        &[FieldType::Slice],
        &[
            (
                json!([1, "a", null, {"b": []}]),
                json!([1, "a", null, {"b": []}]),
            ),
            (json!("a,b"), json!(["a,b"])),
            (json!(5), json!([5])),
            (json!({}), json!([])),
            (json!({"a": 1}), json!([{"a": 1}])),
        ],
    );
    check(
        &[FieldType::StringSlice],
        &[
            (json!(" a, b "), json!(["a, b"])),
            (json!([" a ", 5, true, null]), json!(["a", "5", "1", ""])),
            (json!(""), json!([])),
            (json!({}), json!([])),
        ],
    );
    check(
        &[FieldType::CommaStringSlice],
        &[
            (json!("a, b ,,a"), json!(["a", "b", "", "a"])),
            (json!(["a,b", " c "]), json!(["a,b", "c"])),
            (json!("API RO User"), json!(["API RO User"])),
            (json!(""), json!([])),
            (json!(" "), json!([""])),
            (json!(5), json!(["5"])),
        ],
    );
    refuse(
        &[FieldType::StringSlice, FieldType::CommaStringSlice],
        &[json!([["a"]]), json!([{}]), json!({"a": 1})],
    );
    check(
        &[FieldType::CommaIntSlice],
        &[
            (json!("1, 2,0x10"), json!([1, 2, 16])),
            (json!([1, "2", true, null]), json!([1, 2, 1, 0])),
            (json!("1,,2"), json!([1, 0, 2])),
            (json!(7), json!([7])),
            (json!(""), json!([])),
        ],
    );
    refuse(
        &[FieldType::CommaIntSlice],
        &[
            json!("a"),
            json!("1,a"),
            json!(" "),
            json!([[1]]),
            json!({"a": 1}),
        ],
    );
}

#[test]
fn durations() {
    check(
        &[FieldType::Duration, FieldType::SignedDuration],
        &[
            (json!(3600), json!(3600)),
            (json!("3600"), json!(3600)),
            (json!("1h"), json!(3600)),
            (json!("1h30m"), json!(5400)),
            (json!("7d"), json!(604_800)),
            (json!(3.9), json!(3)),
            (json!("-0.5s"), json!(0)),
            (json!(9_223_372_036_i64), json!(9_223_372_036_i64)),
        ],
    );
    check(
        &[FieldType::SignedDuration],
        &[
            (json!("-5"), json!(-5)),
            (json!(-5), json!(-5)),
            (json!("-7d"), json!(-604_800)),
        ],
    );
    refuse(
        &[FieldType::Duration],
        &[json!("-1s"), json!(-5), json!("-7d")],
    );
    refuse(
        &[FieldType::Duration, FieldType::SignedDuration],
        &[
            json!("1w"),
            json!("1d12h"),
            json!("1.5"),
            json!(9_223_372_037_i64),
            json!(1e300),
            json!(true),
            json!([]),
            json!({}),
        ],
    );
    assert!(coerce(FieldType::Duration, json!("")).unwrap().is_none());
}

#[test]
fn times() {
    check(
        &[FieldType::Time],
        &[
            (json!("2026-01-31T12:00:00Z"), json!("2026-01-31T12:00:00Z")),
            (
                json!("2026-01-31T12:00:00.25+02:00"),
                json!("2026-01-31T10:00:00.25Z"),
            ),
            (json!("1700000000"), json!("2023-11-14T22:13:20Z")),
            (json!(1_700_000_000), json!("2023-11-14T22:13:20Z")),
            (json!(1.5), json!("1970-01-01T00:00:01Z")),
        ],
    );
    refuse(
        &[FieldType::Time],
        &[
            json!(""),
            json!("2026-01-31"),
            json!("2026-02-30T00:00:00Z"),
            json!("tomorrow"),
            json!("99999999999999"),
            json!(i64::MIN),
            json!("9999-12-31T23:59:59-23:00"),
            json!(true),
            json!([]),
        ],
    );
}

#[test]
fn headers() {
    check(
        &[FieldType::Header],
        &[
            (
                json!({"content-type": "text/json"}),
                json!({"Content-Type": ["text/json"]}),
            ),
            (
                json!({"a": ["b", "c"], "d": 1}),
                json!({"A": ["b", "c"], "D": ["1"]}),
            ),
            (json!("{\"accept\":[\"x\"]}"), json!({"Accept": ["x"]})),
            (json!("eyJhY2NlcHQiOiJ4In0="), json!({"Accept": ["x"]})),
            (json!(["a:b", "A:c:d"]), json!({"A": ["b", "c:d"]})),
            (json!({"bad name": "x"}), json!({"bad name": ["x"]})),
            (json!([]), json!({})),
        ],
    );
    refuse(
        &[FieldType::Header],
        &[
            json!(""),
            json!("abc"),
            json!("[]"),
            json!(["a"]),
            json!([":b"]),
            json!([1]),
            json!({"a": true}),
            json!({"a": {"b": "c"}}),
            json!(5),
        ],
    );
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
            r#""many" is not a whole number of at most 64 bits"#,
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

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[-+]?[0-9_.,a-fox]{0,12}(ns|us|ms|s|m|h|d|w)?".prop_map(Value::from),
        "[a-z]{1,3}[=:][a-z,]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z-]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Nothing panics, and what has been converted converts to itself: a client may write back what
    /// it has read.
    #[test]
    fn converted_values_stay_as_they_are(input in any_json()) {
        for kind in ALL {
            if let Ok(Some(value)) = coerce(kind, input.clone()) {
                let once = json_of(value);
                let twice = coerce(kind, once.clone());
                prop_assert!(twice.is_ok(), "{:?} of {} refuses its own {}", kind, input, once);
                prop_assert_eq!(twice.unwrap().map(json_of), Some(once), "{:?} of {}", kind, input);
            }
        }
    }

    #[test]
    fn integers_survive_as_number_and_as_text(integer: i64) {
        for input in [json!(integer), json!(integer.to_string()), json!(format!("{integer:+}"))] {
            prop_assert_eq!(coerce(FieldType::Int, input).unwrap().map(json_of), Some(json!(integer)));
        }
    }

    #[test]
    fn secrets_are_not_repeated(kind in prop::sample::select(ALL.to_vec()), noise in "[A-Za-z:=]{8,16}") {
        let marked = format!("hush{noise}");
        for input in [json!(marked), json!([marked]), json!({"key": {"nested": marked}}), json!([[marked]])] {
            if let Err(mismatch) = coerce(kind, input) {
                prop_assert!(!mismatch.without_value().contains(&marked));
            }
        }
    }
}
