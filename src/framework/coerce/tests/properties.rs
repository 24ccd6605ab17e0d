//! What holds for any input.

use proptest::prelude::*;
use serde_json::json;

use super::*;

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
        for input in [json!(marked), json!([marked]), json!({
            "key": {"nested": marked},
        }), json!([[marked]])] {
            if let Err(mismatch) = coerce(kind, input) {
                prop_assert!(!mismatch.without_value().contains(&marked));
            }
        }
    }
}
