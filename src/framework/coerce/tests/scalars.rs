//! Single values.

use serde_json::json;

use super::FieldType;
use super::check;
use super::refuse;

#[test]
fn strings() {
    check(
        &[FieldType::String],
        &[
            (json!(""), json!("")),
            (json!(" a b "), json!(" a b ")),
            (json!("ÄB"), json!("ÄB")),
            (json!(0), json!("0")),
            (json!(-7), json!("-7")),
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
            (json!("x".repeat(240)), json!("x".repeat(240))),
        ],
    );
    refuse(
        &[FieldType::String, FieldType::Lowercase, FieldType::Name],
        &[
            json!([]),
            json!(["a"]),
            json!({}),
            json!({"a": 1}),
            json!(true),
            json!(false),
            json!(3.7),
            json!(1e21),
        ],
    );
    refuse(
        &[FieldType::Name],
        &[
            json!(""),
            json!("a..b"),
            json!("../x"),
            json!("x".repeat(241)),
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
            (json!(3.0), json!(3)),
            (json!(1e3), json!(1000)),
            (json!("42"), json!(42)),
            (json!("-42"), json!(-42)),
            (json!("+5"), json!(5)),
            (json!("1_000"), json!(1000)),
            (json!("-9223372036854775808"), json!(i64::MIN)),
        ],
    );
    refuse(
        &[FieldType::Int, FieldType::Int64],
        &[
            json!("abc"),
            json!(""),
            json!("true"),
            json!(true),
            json!(false),
            json!(3.7),
            json!(-3.7),
            json!("1.5"),
            json!("1e3"),
            json!(" 5"),
            json!("5 "),
            json!("08"),
            json!("0x1F"),
            json!("-0x10"),
            json!("017"),
            json!("0b1"),
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
        ],
    );
    let bad = [
        json!("abc"),
        json!(""),
        json!(true),
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
        json!(1.0),
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
            json!(""),
            json!(2),
            json!(-0.5),
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
fn durations() {
    check(
        &[FieldType::Duration, FieldType::SignedDuration],
        &[
            (json!(3600), json!(3600)),
            (json!("3600"), json!(3600)),
            (json!("1h"), json!(3600)),
            (json!("1h30m"), json!(5400)),
            (json!("7d"), json!(604_800)),
            (json!(3.0), json!(3)),
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
            json!("0.5s"),
            json!("-0.5s"),
            json!("999ms"),
            json!("1500ms"),
            json!(0.5),
            json!(3.9),
            json!(""),
            json!(9_223_372_037_i64),
            json!(1e300),
            json!(true),
            json!([]),
            json!({}),
        ],
    );
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
        ],
    );
    refuse(
        &[FieldType::Time],
        &[
            json!(""),
            json!(1.5),
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
