//! Which handler a request reaches, and with what.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::shelf::framework;
use super::shelf::response;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::FailureStatus;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Response;

/// The data that `operation` on `path` answers.
fn answer(operation: Operation, path: &str, data: Value) -> Result<Option<Value>, Error> {
    let outcome = now(framework().handle(request(operation, path, data)))?;
    Ok(outcome.map(|response| Value::Object(response.data().clone())))
}

#[test]
fn requests_reach_their_path() {
    assert_eq!(
        answer(Operation::Read, "books/moby", json!({})),
        Ok(Some(json!({"title": "Moby-Dick"})))
    );
    assert_eq!(answer(Operation::Read, "books/none", json!({})), Ok(None));
    assert_eq!(answer(Operation::Delete, "books/moby", json!({})), Ok(None));
    assert_eq!(
        answer(Operation::Other("header".to_owned()), "hours", json!({})),
        Ok(None)
    );
}

#[test]
fn lists_come_with_and_without_slash() {
    for path in ["books/", "books"] {
        assert_eq!(
            answer(Operation::List, path, json!({})),
            Ok(Some(json!({"keys": ["emma", "moby"]})))
        );
    }
    assert_eq!(
        answer(Operation::List, "books/", json!({"after": "emma"})),
        Ok(Some(json!({"keys": ["moby"]})))
    );
    assert_eq!(
        answer(Operation::List, "books/", json!({"after": "moby"})),
        Ok(Some(json!({})))
    );
}

#[test]
fn what_is_not_a_name_is_told() {
    let refused = Err(Error::BadRequest(
        "name: \"-a\" is not a name: use letters of English, digits and \"_\", and between them \
         also \"-\" and single \".\", 240 characters at most"
            .to_owned(),
    ));
    assert_eq!(answer(Operation::Read, "books/-a", json!({})), refused);
    // No operation of the path, whatever the name.
    assert_eq!(
        answer(Operation::List, "books/-a", json!({})),
        Err(Error::UnsupportedPath)
    );
}

#[test]
fn what_is_not_declared_is_unsupported() {
    for path in ["", "book", "books/a/b", "/books/moby", "hours/", "HOURS"] {
        assert_eq!(
            answer(Operation::Read, path, json!({})),
            Err(Error::UnsupportedPath),
            "{path:?}"
        );
    }
    for (operation, path) in [
        (Operation::List, "books/moby"),
        (Operation::Read, "books"),
        (Operation::Read, "books/"),
        (Operation::Create, "loans/moby"),
        (Operation::Other("header".to_owned()), "books/moby"),
        (Operation::Other("recover".to_owned()), "books/moby"),
        (Operation::Other("recover".to_owned()), "no/such/path"),
    ] {
        assert_eq!(
            answer(operation.clone(), path, json!({})),
            Err(Error::UnsupportedOperation),
            "{operation:?} {path}"
        );
    }
}

#[test]
fn the_first_match_wins() {
    let named = |template: &str, which: &'static str| {
        Path::<Shelf>::new(template)
            .field(Field::string("name", ""))
            .on(Operation::Read, "", move |_, _| async move {
                HandlerResult::Ok(Some(response(json!({ "which": which }))))
            })
    };
    let framework = builder()
        .path(
            Path::new("a/special").on(Operation::Update, "", |_, _| async {
                HandlerResult::Ok(None)
            }),
        )
        .paths([named("a/{name}", "name"), named("a/{name*}", "rest")])
        .build()
        .unwrap();
    for (path, which) in [("a/b", "name"), ("a/b/c", "rest")] {
        let response = now(framework.handle(request(Operation::Read, path, json!({}))))
            .unwrap()
            .unwrap();
        assert_eq!(response.data()["which"], which);
    }
    // Also where a later path would handle the operation.
    let outcome = now(framework.handle(request(Operation::Read, "a/special", json!({}))));
    assert_eq!(outcome.err(), Some(Error::UnsupportedOperation));
}

#[test]
fn fields_are_converted_and_moved() {
    let written = answer(
        Operation::Update,
        "books/moby",
        json!({"title": 1851, "loan": "1h30m", "tags": "whale, \
            sea", "key": "0000", "unknown": true}),
    );
    assert_eq!(
        written,
        Ok(Some(json!({
            "name": "moby", "title": "1851", "loan": 5400, "tags": ["whale", "sea"],
            "key_length": 4, "left": 1,
        })))
    );
    let defaults = answer(
        Operation::Create,
        "books/emma",
        json!({"title": "Emma", "loan": null}),
    );
    assert_eq!(
        defaults,
        Ok(Some(json!({
            "name": "emma", "title": "Emma", "loan": 1_209_600, "tags": null, "key_length": 4,
            "left": 0,
        })))
    );
}

#[test]
fn fields_that_do_not_convert_are_bad_requests() {
    for (data, message) in [
        (
            json!({"loan": "-5"}),
            "Field validation failed: error converting input for field \"loan\": cannot provide \
             negative value '-5'",
        ),
        (
            json!({"shelf": "top", "title": ["a"]}),
            "Field validation failed: error converting input for field \"shelf\": \"top\" is not a \
             whole number in decimal digits, of at most 64 bits",
        ),
        (
            json!({"key": {"pin": "s3cret"}}),
            "Field validation failed: error converting input for field \"key\": the value is not \
             text",
        ),
    ] {
        let outcome = answer(Operation::Update, "books/moby", data);
        assert_eq!(outcome, Err(Error::BadRequest(message.to_owned())));
    }
}

#[test]
fn captures_have_the_say() {
    let absent = answer(Operation::Update, "audit", json!({"name": "attic"}));
    assert_eq!(absent, Ok(Some(json!({"room": "main", "sent": false}))));
    let present = answer(Operation::Update, "audit/cellar", json!({"name": "attic"}));
    assert_eq!(present, Ok(Some(json!({"room": "cellar", "sent": true}))));
}

#[test]
fn any_parameters_stay_in_the_request() {
    let stored = answer(
        Operation::Update,
        "scraps/a/b",
        json!({"x": [1], "rest": "mine"}),
    );
    assert_eq!(stored, Ok(Some(json!({"rest": "a/b", "data": {"x": [1]}}))));
}

#[test]
fn handler_errors_pass_through() {
    let framework = builder()
        .path(
            Path::new("fail").on(Operation::Read, "", async |shelf: Arc<Shelf>, _: Call| {
                shelf.note("called");
                Err(Error::Status {
                    status: FailureStatus::BAD_GATEWAY,
                    message: "upstream".to_owned(),
                })
            }),
        )
        .build()
        .unwrap();
    let outcome = now(framework.handle(request(Operation::Read, "fail", json!({}))));
    assert_eq!(
        outcome.err(),
        Some(Error::Status {
            status: FailureStatus::BAD_GATEWAY,
            message: "upstream".to_owned()
        })
    );
    assert_eq!(framework.engine.notes(), ["called"]);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "field \"titel\" is not declared by this path")]
fn a_misspelt_field_is_found_in_development() {
    let path = Path::<Shelf>::new("a").on(Operation::Read, "", async |_, call: Call| {
        assert_eq!(call.fields.string("titel"), None);
        HandlerResult::Ok(None)
    });
    let framework = builder().path(path).build().unwrap();
    assert!(now(framework.handle(request(Operation::Read, "a", json!({})))).is_ok());
}

#[test]
fn a_capture_is_a_text_also_where_it_is_absent() {
    let path = |template| {
        Path::new(template)
            .field(Field::name("name", "A name."))
            .on(Operation::Read, "", async |_, call: Call| {
                Response::json(json!({"name": call.fields.captured("name")})).map(Some)
            })
    };
    let paths = [path("plain/{name}"), path("optional{name?}")];
    let framework = builder().paths(paths).build().unwrap();
    for (path, name) in [("plain/a", "a"), ("optional/b", "b"), ("optional", "")] {
        let outcome = now(framework.handle(request(Operation::Read, path, json!({}))));
        assert_eq!(outcome.unwrap().unwrap().data()["name"], name, "{path}");
    }
}
