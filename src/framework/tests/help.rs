//! `path-help`, to the letter.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::shelf::declared;
use super::shelf::framework;
use crate::framework::Framework;
use crate::framework::testing::Shelf;
use crate::framework::testing::host;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Operation;

const ROOT: &str = r"## DESCRIPTION

Lends books.

## PATHS

The following paths are supported below the mount. For the help of one of them,
ask for help on any path that matches its pattern. Policies decide which of them
a token may use.

    ^audit(/(?P<name>\w(([\w-.]+)?\w)?))?$
        Count the books.

    ^books/(?P<name>\w(([\w-.]+)?\w)?)$
        Manage books.

    ^books/?$
        List books.

    ^hours$
        <no synopsis>

    ^loans/(?P<name>\w(([\w-.]+)?\w)?)$
        Lend a book.

    ^scraps/(?P<rest>.*)$
        <no synopsis>";

const BOOK: &str = r"Request:        books/moby
Matching Route: ^books/(?P<name>\w(([\w-.]+)?\w)?)$

Manage books.

## PARAMETERS

    force (bool)

        Delete though it is lent.

    key (string)

        The key of its case.

    loan (duration (sec))

        How long it is lent.

    name (name string)

        The book's name.

    shelf (int)

        (DEPRECATED) Where it was.

    tags (slice)

        What it is about.

    title (string)

        The title.
        As printed.

## DESCRIPTION

A book has a title.

It can be lent.";

const HOURS: &str = "Request:        hours
Matching Route: ^hours$

<no synopsis>

## DESCRIPTION

<no description>";

fn help(framework: &Framework<Shelf>, path: &str, data: Value) -> Value {
    let response = now(framework.handle(request(Operation::Help, path, data)))
        .unwrap()
        .unwrap();
    assert!(response.warnings().is_empty());
    Value::Object(response.data().clone())
}

#[test]
fn the_root_lists_the_paths() {
    for data in [
        json!({}),
        json!({"requestResponsePrefix": "shelf"}),
        json!({"help": "1"}),
    ] {
        let answer = help(&framework(), "", data);
        assert_eq!(answer["help"], ROOT);
        assert_eq!(answer["see_also"], Value::Null);
        assert_eq!(answer["openapi"]["paths"].as_object().unwrap().len(), 8);
        assert_eq!(answer.as_object().unwrap().len(), 3);
    }
}

#[test]
fn a_path_explains_itself() {
    let answer = help(&framework(), "books/moby", json!({}));
    assert_eq!(answer["help"], BOOK);
    let paths = answer["openapi"]["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/books/{name}"]);
    assert_eq!(help(&framework(), "hours", json!({}))["help"], HOURS);
}

#[test]
fn help_is_there_whatever_the_operations() {
    for (path, first_line) in [
        ("books", "Request:        books"),
        ("books/", "Request:        books/"),
        ("audit", "Request:        audit"),
        ("audit/attic", "Request:        audit/attic"),
        ("scraps/a/b", "Request:        scraps/a/b"),
    ] {
        let answer = help(&framework(), path, json!({}));
        assert_eq!(
            answer["help"].as_str().unwrap().lines().next(),
            Some(first_line)
        );
    }
}

#[test]
fn unknown_paths_have_no_help() {
    for path in ["no/such", "books/a/b", "/"] {
        let outcome = now(framework().handle(request(Operation::Help, path, json!({}))));
        assert_eq!(outcome.err(), Some(Error::UnsupportedPath), "{path}");
    }
}

#[test]
fn the_version_is_the_hosts() {
    let host = |version| {
        declared(Framework::builder(
            Arc::new(Shelf::default()),
            host(version),
        ))
        .build()
        .unwrap()
    };
    assert_eq!(
        help(&host(Some("2.4.1")), "", json!({}))["openapi"]["info"]["version"],
        "2.4.1"
    );
    assert_eq!(
        help(&host(Some("")), "", json!({}))["openapi"]["info"]["version"],
        "unknown"
    );
    assert_eq!(
        help(&host(None), "", json!({}))["openapi"]["info"]["version"],
        "unknown"
    );
}
