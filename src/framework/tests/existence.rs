//! The existence check, by which a host tells create from update.

use serde_json::Value;
use serde_json::json;

use super::shelf::framework;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Operation;

fn exists(operation: Operation, path: &str, data: Value) -> Result<Option<bool>, Error> {
    now(framework().exists(request(operation, path, data)))
}

#[test]
fn objects_exist_or_not() {
    for operation in [Operation::Update, Operation::Create] {
        assert_eq!(
            exists(operation.clone(), "books/moby", json!({})),
            Ok(Some(true))
        );
        assert_eq!(exists(operation, "books/emma", json!({})), Ok(Some(false)));
    }
}

#[test]
fn paths_without_check_say_nothing() {
    assert_eq!(
        exists(Operation::Update, "loans/moby", json!({"ttl": "nonsense"})),
        Ok(None)
    );
}

#[test]
fn captures_have_the_say() {
    assert_eq!(
        exists(Operation::Update, "books/emma", json!({"name": "moby"})),
        Ok(Some(false))
    );
}

#[test]
fn the_check_does_not_run_the_handler() {
    let framework = framework();
    assert_eq!(
        now(framework.exists(request(
            Operation::Update,
            "books/moby",
            json!({"title": "t"})
        ))),
        Ok(Some(true))
    );
    assert_eq!(framework.engine.notes(), ["exists moby"]);
}

#[test]
fn errors_are_told_apart() {
    assert_eq!(
        exists(Operation::Update, "no/such", json!({})),
        Err(Error::UnsupportedPath)
    );
    assert_eq!(
        exists(Operation::Read, "books/moby", json!({})),
        Err(Error::UnsupportedOperation)
    );
    assert_eq!(
        exists(Operation::Update, "books/broken", json!({})),
        Err(Error::Internal("the catalogue is closed".to_owned()))
    );
    assert_eq!(
        exists(Operation::Update, "books/moby", json!({"loan": "-5"})),
        Err(Error::BadRequest(
            "Field validation failed: error converting input for field \"loan\": cannot provide \
             negative value '-5'"
                .to_owned()
        ))
    );
}
