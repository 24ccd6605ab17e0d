//! Values with parts.

use serde_json::json;

use super::FieldType;
use super::check;
use super::refuse;

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
            (json!({"a": "b", "c": 1}), json!({"a": "b", "c": "1"})),
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
            json!({"a": null}),
            json!({"a": true}),
            json!({"a": 1.5}),
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
            (json!([" a ", 5]), json!(["a", "5"])),
            (json!(""), json!([])),
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
        &[
            json!([["a"]]),
            json!([{}]),
            json!({}),
            json!({"a": 1}),
            json!(["a", null]),
            json!([true]),
            json!(true),
        ],
    );
    check(
        &[FieldType::CommaIntSlice],
        &[
            (json!("1, 2,16"), json!([1, 2, 16])),
            (json!([1, "2"]), json!([1, 2])),
            (json!(7), json!([7])),
            (json!(""), json!([])),
        ],
    );
    refuse(
        &[FieldType::CommaIntSlice],
        &[
            json!("a"),
            json!("1,a"),
            json!("1,,2"),
            json!([1, null]),
            json!([true]),
            json!(" "),
            json!([[1]]),
            json!({"a": 1}),
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
