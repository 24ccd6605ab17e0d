//! Attributes are declared, written and shown as their one table says.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::framework::Attribute;
use crate::framework::Attributes;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::FieldType;
use crate::framework::Framework;
use crate::framework::Path;
use crate::framework::testing::host;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;

#[derive(Clone, Default)]
struct Book {
    title: String,
    pages: u16,
    lent: bool,
    loan: Duration,
}

type Store = Mutex<Option<Book>>;

fn attributes() -> Attributes<Book, Error> {
    Attributes::new([
        Attribute::new(
            Field::name("title", "What it is called.").default("untitled"),
            |book: &Book| book.title.clone(),
            |book, title| book.title = title,
        ),
        Attribute::checked(
            Field::int("pages", "How many pages it has."),
            |book: &Book| book.pages.into(),
            |book, pages: i64| {
                book.pages = u16::try_from(pages)
                    .map_err(|_| Error::BadRequest(format!("pages: {pages} is out of range")))?;
                Ok(())
            },
        ),
        Attribute::new(
            Field::bool("lent", "Whether it is lent.").default(true),
            |book: &Book| book.lent,
            |book, lent| book.lent = lent,
        ),
        Attribute::new(
            Field::duration("loan", "How long it is lent.").default("14d"),
            |book: &Book| book.loan,
            |book, loan| book.loan = loan,
        )
        .shown("Seconds that it is lent."),
        Attribute::read_only(Field::string("shelf", "Where it stands."), |book: &Book| {
            book.title.to_uppercase()
        }),
    ])
}

/// Writes `data` over the stored book, if there is one, and reads it back.
fn written(store: &Arc<Store>, data: Value) -> Result<Map<String, Value>, Error> {
    let path = Path::new("book").fields(attributes().parameters()).on(
        Operation::Update,
        "",
        async |store: Arc<Store>, call: Call| {
            let stored = store.lock().clone();
            let book = match stored {
                Some(mut book) => {
                    attributes().change(&call.fields, &mut book)?;
                    book
                }
                None => {
                    let mut book = Book::default();
                    attributes().fill(&call.fields, &mut book)?;
                    book
                }
            };
            let mut data = Map::new();
            attributes().show(&book, &mut data);
            *store.lock() = Some(book);
            Ok::<_, Error>(Some(Response::new(data)))
        },
    );
    let framework = Framework::builder(Arc::clone(store), host(None))
        .path(path)
        .build()
        .expect("a sound path");
    let response = now(framework.handle(request(Operation::Update, "book", data)))?;
    Ok(response.expect("an answer").data().clone())
}

#[test]
fn what_is_not_sent_has_its_default_first_and_stays_later() {
    let store = Arc::new(Store::default());
    let first = written(&store, json!({"pages": "320"})).unwrap();
    assert_eq!(
        Value::Object(first),
        json!({
            "title": "untitled", "pages": 320, "lent": true, "loan": 1_209_600, "shelf": "UNTITLED",
        })
    );
    written(
        &store,
        json!({"title": "moby", "lent": false, "loan": "1h"}),
    )
    .unwrap();
    let third = written(&store, json!({"pages": 7})).unwrap();
    assert_eq!(
        Value::Object(third),
        json!({"title": "moby", "pages": 7, "lent": false, "loan": 3600, "shelf": "MOBY"})
    );
}

#[test]
fn null_brings_the_default_back() {
    let store = Arc::new(Store::default());
    let sent = json!({"title": "moby", "pages": 1, "lent": false, "loan": 5});
    written(&store, sent).unwrap();
    let nulls = json!({"title": null, "pages": null, "lent": null, "loan": null});
    let back = written(&store, nulls).unwrap();
    assert_eq!(
        Value::Object(back),
        json!({
            "title": "untitled", "pages": 0, "lent": true, "loan": 1_209_600, "shelf": "UNTITLED",
        })
    );
}

#[test]
fn a_value_that_does_not_fit_is_refused() {
    let store = Arc::new(Store::default());
    let error = written(&store, json!({"pages": 70_000})).unwrap_err();
    assert_eq!(
        error,
        Error::BadRequest("pages: 70000 is out of range".to_owned())
    );
    assert!(store.lock().is_none());
}

#[test]
fn an_answer_says_what_its_fields_hold() {
    let attributes = attributes();
    let shown: Vec<_> = attributes
        .answer()
        .map(|field| (field.name, field.kind, field.description, field.required))
        .collect();
    assert_eq!(
        shown,
        [
            ("title", FieldType::String, "What it is called.", true),
            ("pages", FieldType::Int, "How many pages it has.", true),
            ("lent", FieldType::Bool, "Whether it is lent.", true),
            ("loan", FieldType::Int, "Seconds that it is lent.", true),
            ("shelf", FieldType::String, "Where it stands.", true),
        ]
    );
    let taken: Vec<_> = attributes.parameters().map(|field| field.name).collect();
    assert_eq!(taken, ["title", "pages", "lent", "loan"]);
}
