//! A small engine with a path of every kind.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::framework::Builder;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Framework;
use crate::framework::Path;
use crate::framework::SecretType;
use crate::framework::lease;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Response;
use crate::vault::SpecialPaths;

pub(super) fn framework() -> Framework<Shelf> {
    declared(builder()).build().unwrap()
}

pub(super) fn declared(builder: Builder<Shelf>) -> Builder<Shelf> {
    builder
        .description("Lends books.")
        .special_paths(SpecialPaths {
            root: vec!["audit/*".to_owned()],
            unauthenticated: vec!["hours".to_owned()],
            ..SpecialPaths::default()
        })
        .path(
            Path::new("hours")
                .on(Operation::Read, "Read the opening hours.", async |_, _| {
                    HandlerResult::Ok(Some(response(json!({"open": "9"}))))
                })
                .on(
                    Operation::Other("header".to_owned()),
                    "Ask whether there are any.",
                    |_, _| async { HandlerResult::Ok(None) },
                ),
        )
        .path(
            Path::new("books/")
                .synopsis("List books.")
                .help("The titles only.")
                .field(Field::string("after", "Begin after this title.").query())
                .on(Operation::List, "List books.", list_books),
        )
        .path(
            Path::new("books/{name}")
                .synopsis("Manage books.")
                .help("\nA book has a title.\n\nIt can be lent.\n")
                .field(Field::name("name", "The book's name."))
                .field(Field::string("title", "The title.\nAs printed.").required())
                .field(Field::duration("loan", "How long it is lent.").default("14d"))
                .field(Field::comma_string_slice("tags", "What it is about."))
                .field(
                    Field::string("key", "The key of its case.")
                        .secret()
                        .default("none"),
                )
                .field(Field::int("shelf", "Where it was.").deprecated())
                .field(
                    Field::bool("force", "Delete though it is lent.")
                        .query()
                        .only_for([Operation::Delete]),
                )
                .exists(async |shelf: Arc<Shelf>, call: Call| {
                    let name = call.fields.string("name").unwrap();
                    shelf.note(format!("exists {name}"));
                    match name.as_str() {
                        "broken" => Err(Error::Internal("the catalogue is closed".to_owned())),
                        name => Ok(name == "moby"),
                    }
                })
                .on(Operation::Create, "Add a book.", write_book)
                .on(Operation::Update, "Change a book.", write_book)
                .on(Operation::Patch, "Change parts of a book.", patch_book)
                .on(Operation::Read, "Read a book.", read_book)
                .on(
                    Operation::Delete,
                    "Remove a book.",
                    async |_, call: Call| {
                        assert!(call.fields.was_sent("name"));
                        HandlerResult::Ok(None)
                    },
                ),
        )
        .path(
            Path::new("loans/{name}")
                .synopsis("Lend a book.")
                .field(Field::name("name", "The book's name."))
                .field(Field::duration("ttl", "At most this long.").query())
                .on(Operation::Read, "Lend a book.", lend)
                .on(Operation::Update, "Lend a book.", lend),
        )
        .path(
            Path::new("audit{name?}")
                .synopsis("Count the books.")
                .field(Field::name("name", "Which room.").default("main"))
                .on(Operation::Update, "Count.", async |_, call: Call| {
                    HandlerResult::Ok(Some(response(json!({
                        "room": call.fields.string("name"), "sent": call.fields.was_sent("name"),
                    }))))
                }),
        )
        .path(
            Path::new("scraps/{rest*}")
                .field(Field::string("rest", "Anything."))
                .takes_any_parameters()
                .on(Operation::List, "List scraps.", |_, _| async {
                    HandlerResult::Ok(None)
                })
                .on(
                    Operation::Update,
                    "Store a scrap.",
                    async |_, call: Call| {
                        let data = Value::Object(call.request.data);
                        HandlerResult::Ok(Some(response(json!({
                            "rest": call.fields.string("rest"), "data": data,
                        }))))
                    },
                ),
        )
        .secret(SecretType::new("loan").on_renew(renew).on_revoke(revoke))
        .secret(SecretType::new("gift").on_revoke(revoke))
}

pub(super) fn response(data: Value) -> Response {
    match data {
        Value::Object(map) => Response::new(map),
        other => panic!("{other} is no object"),
    }
}

async fn list_books(_: Arc<Shelf>, call: Call) -> HandlerResult {
    let after = call.fields.string("after").unwrap_or_default();
    let keys = ["emma", "moby"]
        .into_iter()
        .filter(|key| *key > after.as_str())
        .map(str::to_owned);
    Ok(Some(Response::list(keys.collect(), serde_json::Map::new())))
}

async fn read_book(shelf: Arc<Shelf>, call: Call) -> HandlerResult {
    let name = call.fields.string("name").ok_or(Error::UnsupportedPath)?;
    shelf.note(format!("read {name}"));
    Ok((name == "moby").then(|| response(json!({"title": "Moby-Dick"}))))
}

async fn write_book(shelf: Arc<Shelf>, call: Call) -> HandlerResult {
    shelf.note(call.request.operation.as_str());
    let Some(title) = call.fields.string("title") else {
        return Err(Error::BadRequest("title is missing".to_owned()));
    };
    if title == "nil" {
        return Ok(None);
    }
    Ok(Some(response(json!({
        "name": call.fields.string("name"),
        "title": title,
        "loan": call.fields.seconds("loan"),
        "tags": call.fields.strings("tags"),
        "key_length": call.fields.secret("key").map(|key| key.expose().len()),
        "left": call.request.data.len(),
    }))))
}

async fn patch_book(_: Arc<Shelf>, call: Call) -> HandlerResult {
    let part = |name: &str| match (call.fields.was_sent(name), call.fields.is_null(name)) {
        (false, _) => "kept",
        (true, true) => "removed",
        (true, false) => "changed",
    };
    Ok(Some(response(json!({
        "title": part("title"),
        "loan": part("loan"),
        "tags": part("tags"),
        "sent_loan": call.fields.sent().seconds("loan"),
        "effective_loan": call.fields.duration("loan").map(|loan| loan.as_secs()),
    }))))
}

async fn lend(_: Arc<Shelf>, call: Call) -> HandlerResult {
    let ttl = call
        .fields
        .duration("ttl")
        .unwrap_or(Duration::from_secs(60));
    let internal = json!({"name": call.fields.string("name")});
    let internal = internal.as_object().cloned().unwrap_or_default();
    let lease = lease("loan", ttl)
        .renewable_up_to(Duration::from_secs(600))
        .with_internal_data(internal);
    Ok(Some(response(json!({"receipt": "42"})).with_lease(lease)))
}

async fn renew(shelf: Arc<Shelf>, call: Call) -> HandlerResult {
    shelf.note("renew");
    let lease = call.request.lease.ok_or(Error::UnsupportedOperation)?;
    let mut internal = lease.internal_data;
    internal.remove("secret_type");
    Ok(Some(Response::default().with_lease(crate::vault::Lease {
        ttl: lease.ttl,
        max_ttl: lease.max_ttl,
        renewable: true,
        internal_data: internal,
    })))
}

async fn revoke(shelf: Arc<Shelf>, call: Call) -> HandlerResult {
    assert!(call.request.lease.is_some());
    shelf.note("revoke");
    Ok(None)
}
