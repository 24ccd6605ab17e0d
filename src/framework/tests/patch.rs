//! Merge patches: what is sent, what is removed, what stays.

use serde_json::Value;
use serde_json::json;

use super::shelf::framework;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Operation;

fn patched(data: Value) -> Result<Value, Error> {
    let response = now(framework().handle(request(Operation::Patch, "books/moby", data)))?;
    Ok(response.map_or(Value::Null, |response| {
        Value::Object(response.data().clone())
    }))
}

#[test]
fn null_removes_and_absence_keeps() {
    assert_eq!(
        patched(json!({"title": null, "tags": ""})),
        Ok(json!({
            "title": "removed", "loan": "kept", "tags": "changed", "sent_loan": null,
            "effective_loan": 1_209_600,
        }))
    );
}

#[test]
fn a_sent_value_is_told_from_a_default() {
    assert_eq!(
        patched(json!({"loan": "1h"})),
        Ok(json!({
            "title": "kept", "loan": "changed", "tags": "kept", "sent_loan": 3600,
            "effective_loan": 3600,
        }))
    );
}

#[test]
fn null_is_unset() {
    assert_eq!(
        patched(json!({"loan": null})),
        Ok(json!({
            "title": "kept", "loan": "removed", "tags": "kept", "sent_loan": null,
            "effective_loan": 1_209_600,
        }))
    );
}

#[test]
fn bad_values_are_refused() {
    assert!(matches!(
        patched(json!({"loan": {}})),
        Err(Error::BadRequest(_))
    ));
}
