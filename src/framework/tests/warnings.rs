//! Warnings about parameters without effect.

use serde_json::Value;
use serde_json::json;

use super::shelf::framework;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Operation;

fn warnings(operation: Operation, path: &str, data: Value) -> Option<Vec<String>> {
    let response = now(framework().handle(request(operation, path, data))).unwrap();
    response.map(|response| response.warnings().to_vec())
}

#[test]
fn unknown_and_replaced_parameters_are_named() {
    let data = json!({"title": "t", "zeta": 1, "alpha": null, "name": "other"});
    assert_eq!(
        warnings(Operation::Update, "books/moby", data),
        Some(vec![
            "Endpoint ignored these unrecognized parameters: [alpha zeta]".to_owned(),
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"
                .to_owned(),
        ])
    );
}

#[test]
fn an_absent_capture_is_replaced_too() {
    assert_eq!(
        warnings(Operation::Update, "audit", json!({"name": "attic"})),
        Some(vec![
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"
                .to_owned(),
        ])
    );
}

#[test]
fn there_is_nothing_to_warn_of() {
    assert_eq!(
        warnings(
            Operation::Update,
            "books/moby",
            json!({"title": "t", "name": null})
        ),
        Some(Vec::new())
    );
    assert_eq!(
        warnings(Operation::Read, "books/moby", json!({})),
        Some(Vec::new())
    );
    assert_eq!(
        warnings(Operation::Update, "scraps/x", json!({"whatever": 1})),
        Some(Vec::new())
    );
}

#[test]
fn an_absent_response_carries_no_warning() {
    assert_eq!(
        warnings(
            Operation::Update,
            "books/moby",
            json!({"title": "nil", "zeta": 1})
        ),
        None
    );
    assert_eq!(
        warnings(Operation::Read, "books/none", json!({"zeta": 1})),
        None
    );
}

#[test]
fn reads_and_lists_warn_as_well() {
    let ignored = Some(vec![
        "Endpoint ignored these unrecognized parameters: [page]".to_owned(),
    ]);
    assert_eq!(
        warnings(Operation::Read, "books/moby", json!({"page": 2})),
        ignored
    );
    assert_eq!(
        warnings(Operation::List, "books/", json!({"page": 2})),
        ignored
    );
}
