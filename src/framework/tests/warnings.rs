//! Warnings about parameters without effect.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::shelf::framework;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;

fn warnings(operation: Operation, path: &str, data: Value) -> Option<Vec<String>> {
    let response = now(framework().handle(request(operation, path, data))).unwrap();
    response.map(|response| response.warnings().to_vec())
}

#[test]
fn unknown_and_replaced_parameters_are_named() {
    let data = json!({"title": "t", "qqq": 1, "alpha": null, "name": "other"});
    assert_eq!(
        warnings(Operation::Update, "books/moby", data),
        Some(vec![
            "Endpoint ignored these unrecognized parameters: [alpha qqq]".to_owned(),
            "Endpoint replaced the value of these parameters with the values captured from the \
             endpoint's path: [name]"
                .to_owned(),
        ])
    );
}

#[test]
fn an_absent_capture_is_replaced_too() {
    assert_eq!(
        warnings(Operation::Update, "audit", json!({"name": "attic"})),
        Some(vec![
            "Endpoint replaced the value of these parameters with the values captured from the \
             endpoint's path: [name]"
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
fn a_write_or_delete_that_answers_nothing_answers_the_warning() {
    let ignored = |name: &str| {
        Some(vec![format!(
            "Endpoint ignored these unrecognized parameters: [{name}]"
        )])
    };
    assert_eq!(
        warnings(
            Operation::Update,
            "books/moby",
            json!({"title": "nil", "qqq": 1})
        ),
        ignored("qqq")
    );
    assert_eq!(
        warnings(Operation::Delete, "books/moby", json!({"yy": 1})),
        ignored("yy")
    );
    assert_eq!(warnings(Operation::Delete, "books/moby", json!({})), None);
}

#[test]
fn a_read_of_nothing_stays_one() {
    assert_eq!(
        warnings(Operation::Read, "books/none", json!({"qqq": 1})),
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

#[test]
fn the_nearest_parameter_of_the_operation_is_named() {
    let ignored = |name: &str, nearest: &str| {
        Some(vec![format!(
            "Endpoint ignored these unrecognized parameters: [{name}]; for {name:?} the nearest \
             known one is {nearest:?}"
        )])
    };
    let update = |data| warnings(Operation::Update, "books/moby", data);
    assert_eq!(
        update(json!({"title": "nil", "loan_time": 1})),
        ignored("loan_time", "loan")
    );
    // A parameter of another operation is none of this one.
    assert_eq!(
        update(json!({"title": "nil", "force": true})),
        Some(vec![
            "Endpoint ignored these unrecognized parameters: [force]".to_owned()
        ])
    );
    assert_eq!(
        warnings(Operation::Delete, "books/moby", json!({"forced": true})),
        ignored("forced", "force")
    );
    // Not in a query, so a read does not take it.
    assert_eq!(
        warnings(Operation::Read, "books/moby", json!({"title": "t"})),
        Some(vec![
            "Endpoint ignored these unrecognized parameters: [title]".to_owned()
        ])
    );
}

#[test]
fn what_acts_outside_of_storage_refuses_unknown_parameters() {
    let shelf = builder();
    let burn = async |shelf: Arc<Shelf>, _call: Call| {
        shelf.note("burnt");
        HandlerResult::Ok(None)
    };
    let shelf = shelf
        .path(
            Path::new("fire")
                .field(Field::bool("dry_run", "Only look."))
                .on(Operation::Update, "Burn all books.", burn)
                .refuses_unknown_parameters(),
        )
        .build()
        .unwrap();
    let burn = |data| now(shelf.handle(request(Operation::Update, "fire", data)));
    assert_eq!(
        burn(json!({"dryrun": true, "zz": 1})).err(),
        Some(Error::BadRequest(
            "unrecognized parameters: [dryrun zz]; for \"dryrun\" the nearest known one is \
             \"dry_run\". Nothing was done"
                .to_owned()
        ))
    );
    assert_eq!(
        burn(json!({"zz": 1})).err(),
        Some(Error::BadRequest(
            "unrecognized parameters: [zz]; leave them out. Nothing was done".to_owned()
        ))
    );
    assert!(shelf.engine.notes().is_empty());
    assert!(burn(json!({"dry_run": true})).unwrap().is_none());
    assert_eq!(shelf.engine.notes(), ["burnt"]);
}

#[test]
fn a_write_takes_what_a_read_shows() {
    let shelf = builder()
        .path(
            Path::new("box")
                .field(Field::string("label", "What it says."))
                .on(Operation::Read, "Read it.", |_, _| async {
                    HandlerResult::Ok(None)
                })
                .returns([Field::string("label", "It."), Field::int("weight", "Its.")])
                .on(Operation::Update, "Label it.", |_, _| async {
                    HandlerResult::Ok(None)
                })
                .refuses_unknown_parameters(),
        )
        .build()
        .unwrap();
    let data = json!({"label": "x", "weight": 3});
    let answer = now(shelf.handle(request(Operation::Update, "box", data))).unwrap();
    assert_eq!(
        answer.unwrap().warnings(),
        ["Endpoint ignored these parameters, which a read shows and no write takes: [weight]"]
    );
}
