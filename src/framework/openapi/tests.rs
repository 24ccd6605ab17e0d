//! The document as a host decodes it: every type fixed, nothing unknown.

#![allow(clippy::unwrap_used, clippy::panic)]

mod host;
mod sample;

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use self::host::HostDocument;
use self::host::HostOperation;
use self::host::HostPathItem;
use self::sample::declared;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Operation;

fn raw(prefix: Option<&str>) -> Value {
    let data = prefix.map_or(
        json!({}),
        |prefix| json!({ "requestResponsePrefix": prefix }),
    );
    let framework = declared().build().unwrap();
    let response = now(framework.handle(request(Operation::Help, "", data)))
        .unwrap()
        .unwrap();
    response.data()["openapi"].clone()
}

fn document() -> HostDocument {
    serde_json::from_value(raw(Some("shelf"))).unwrap()
}

fn operations(document: &HostDocument) -> impl Iterator<Item = (&str, &str, &HostOperation)> {
    document.paths.iter().flat_map(|(path, item)| {
        [
            ("get", &item.get),
            ("post", &item.post),
            ("patch", &item.patch),
            ("delete", &item.delete),
        ]
        .into_iter()
        .filter_map(move |(method, operation)| Some((path.as_str(), method, operation.as_ref()?)))
    })
}

#[test]
fn the_head_is_complete() {
    let document = document();
    assert_eq!(document.openapi, "3.0.2");
    assert_eq!(document.info.title, "Secrets engine API");
    assert_eq!(document.info.description, "Lends books.");
    assert_eq!(document.info.version, "1.21.0");
    assert_eq!(document.info.license.name, "Apache-2.0");
    assert_eq!(
        document.info.license.url,
        "https://spdx.org/licenses/Apache-2.0.html"
    );
    assert!(document.components.schemas.is_empty());
}

#[test]
fn every_operation_is_listed_under_its_id() {
    let document = document();
    let ids: BTreeSet<_> = operations(&document)
        .map(|(path, method, operation)| (path, method, operation.operation_id.as_str()))
        .collect();
    assert_eq!(
        ids,
        BTreeSet::from([
            ("/books/", "get", "shelf-list-books"),
            ("/books/{name}", "delete", "shelf-delete-books-name"),
            ("/books/{name}", "get", "shelf-read-books-name"),
            ("/books/{name}", "patch", "shelf-patch-books-name"),
            ("/books/{name}", "post", "shelf-write-books-name"),
            ("/hours", "get", "shelf-read-hours"),
            ("/loans/{name}", "get", "shelf-read-loans-name"),
            ("/loans/{name}", "post", "shelf-write-loans-name"),
            ("/rooms", "post", "shelf-write-rooms"),
            ("/rooms/{name}", "post", "shelf-write-rooms-name"),
            ("/scraps/{rest}", "get", "shelf-read-scraps-rest"),
            ("/scraps/{rest}", "post", "shelf-write-scraps-rest"),
            ("/scraps/{rest}/", "get", "shelf-list-scraps-rest"),
        ])
    );
}

#[test]
fn ids_are_unique_and_honour_the_prefix() {
    for (prefix, begins) in [(Some("Shelf_v2"), "shelf-v2-"), (Some(""), ""), (None, "")] {
        let document: HostDocument = serde_json::from_value(raw(prefix)).unwrap();
        let mut seen = BTreeSet::new();
        for (_, _, operation) in operations(&document) {
            let id = &operation.operation_id;
            assert!(id.starts_with(begins), "{id}");
            assert!(seen.insert(id.clone()), "{id} occurs twice");
            assert!(id.chars().all(|letter| letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || letter == '-'));
        }
    }
}

#[test]
fn operations_have_tags_summaries_and_responses() {
    for (path, method, operation) in operations(&document()) {
        assert_eq!(operation.tags, ["secrets"]);
        assert!(!operation.summary.is_empty());
        let expected = match (method, path) {
            ("delete", _) => vec![("204", "empty body")],
            ("get", _) | (_, "/loans/{name}") => vec![("200", "OK")],
            // Warnings only, or nothing.
            _ => vec![("200", "OK"), ("204", "empty body")],
        };
        let responses: Vec<_> = operation
            .responses
            .iter()
            .map(|(status, r)| (status.as_str(), r.description.as_str()))
            .collect();
        assert_eq!(responses, expected, "{method} {path}");
    }
}

#[test]
fn declared_answers_have_the_hosts_whole_body() {
    let document = document();
    let item = &document.paths["/loans/{name}"];
    for operation in [&item.get, &item.post] {
        let response = &operation.as_ref().unwrap().responses["200"];
        let body = &response.content["application/json"].schema;
        assert_eq!(body.required, ["data"]);
        let names: Vec<_> = body.properties.keys().map(String::as_str).collect();
        let expected = [
            "data",
            "lease_duration",
            "lease_id",
            "renewable",
            "request_id",
            "warnings",
        ];
        assert_eq!(names, expected);
        let data = &body.properties["data"];
        assert_eq!(data.required, ["receipt"]);
        let types: Vec<_> = data
            .properties
            .iter()
            .map(|(name, field)| (name.as_str(), field.kind.as_str()))
            .collect();
        assert_eq!(types, [("note", ""), ("receipt", "string")]);
        assert!(
            data.properties["receipt"]
                .display
                .as_ref()
                .unwrap()
                .sensitive
        );
    }
    let undeclared = &document.paths["/hours"].get.as_ref().unwrap().responses["200"];
    assert!(undeclared.content.is_empty());
}

#[test]
fn captures_are_path_parameters() {
    for (path, item) in document().paths {
        let names: Vec<_> = item
            .parameters
            .iter()
            .map(|parameter| format!("{{{}}}", parameter.name))
            .collect();
        assert_eq!(names.len(), path.matches('{').count(), "{path}");
        for (parameter, name) in item.parameters.iter().zip(&names) {
            assert!(path.contains(name), "{path}");
            assert_eq!(parameter.location, "path");
            assert!(
                parameter.required && !parameter.deprecated && !parameter.description.is_empty()
            );
            assert_eq!(parameter.schema.kind, "string");
        }
    }
}

#[test]
fn reads_lists_and_deletes_have_query_parameters() {
    let document = document();
    let query = |wanted: &str, wanted_method: &str| -> Vec<(String, bool, String)> {
        operations(&document)
            .filter(|(path, method, _)| *path == wanted && *method == wanted_method)
            .flat_map(|(_, _, operation)| &operation.parameters)
            .map(|parameter| {
                assert_eq!(parameter.location, "query");
                (
                    parameter.name.clone(),
                    parameter.required,
                    parameter.schema.kind.clone(),
                )
            })
            .collect()
    };
    let named = |name: &str, required, kind: &str| (name.to_owned(), required, kind.to_owned());
    assert_eq!(
        query("/loans/{name}", "get"),
        [named("ttl", false, "string")]
    );
    assert_eq!(query("/loans/{name}", "post"), []);
    assert_eq!(
        query("/books/", "get"),
        [
            named("list", true, "string"),
            named("after", false, "string")
        ]
    );
    assert_eq!(query("/books/{name}", "get"), []);
    assert_eq!(
        query("/books/{name}", "delete"),
        [named("force", false, "boolean")]
    );
    assert_eq!(
        query("/scraps/{rest}/", "get"),
        [named("list", true, "string")]
    );
    let list = &document.paths["/books/"].get.as_ref().unwrap().parameters[0].schema;
    assert_eq!(list.choices, ["true"]);
}

#[test]
fn marks_are_on_the_path_items() {
    let document = document();
    let marked = |mark: fn(&HostPathItem) -> bool| -> Vec<&str> {
        document
            .paths
            .iter()
            .filter(|(_, item)| mark(item))
            .map(|(path, _)| path.as_str())
            .collect()
    };
    assert_eq!(marked(|item| item.create_supported), ["/books/{name}"]);
    assert_eq!(marked(|item| item.unauthenticated), ["/hours"]);
    assert_eq!(marked(|item| item.sudo), ["/rooms/{name}"]);
    assert_eq!(
        marked(|item| item.description == "Manage books."),
        ["/books/{name}"]
    );
}

#[test]
fn bodies_hold_every_field_with_its_type() {
    let document = document();
    let item = &document.paths["/books/{name}"];
    for (operation, required) in [(&item.post, vec!["string", "token"]), (&item.patch, vec![])] {
        let body = operation.as_ref().unwrap().request_body.as_ref().unwrap();
        assert!(body.required);
        let schema = &body.content["application/json"].schema;
        assert_eq!(schema.kind, "object");
        assert_eq!(schema.required, required);
        assert!(!schema.additional_properties);
        let types: Vec<_> = schema
            .properties
            .iter()
            .map(|(name, field)| {
                let items = field.items.as_ref().map_or("", |items| items.kind.as_str());
                (
                    name.as_str(),
                    field.kind.as_str(),
                    field.format.as_str(),
                    items,
                )
            })
            .collect();
        assert_eq!(
            types,
            [
                ("bool", "boolean", "", ""),
                ("comma_int_slice", "array", "", "integer"),
                ("comma_string_slice", "array", "", "string"),
                ("duration", "string", "duration", ""),
                ("float", "number", "float", ""),
                ("header", "string", "", ""),
                ("int", "integer", "", ""),
                ("int64", "integer", "int64", ""),
                ("kvpairs", "object", "kvpairs", ""),
                ("lowercase", "string", "lowercase", ""),
                ("map", "object", "map", ""),
                ("signed", "string", "duration", ""),
                ("slice", "array", "", "object"),
                ("string", "string", "", ""),
                ("string_slice", "array", "", "string"),
                ("time", "string", "date-time", ""),
                ("token", "string", "", ""),
            ]
        );
        for (name, field) in &schema.properties {
            assert!(!field.description.is_empty(), "{name}");
            assert_eq!(field.deprecated, name == "signed", "{name}");
            assert_eq!(
                field
                    .display
                    .as_ref()
                    .is_some_and(|display| display.sensitive),
                name == "token",
                "{name}"
            );
            let default = match name.as_str() {
                "bool" => Some(json!(true)),
                "comma_string_slice" => Some(json!(["a"])),
                "duration" => Some(json!("30")),
                "int" => Some(json!(32)),
                _ => None,
            };
            assert_eq!(field.default, default, "{name}");
        }
    }
    assert_eq!(item.parameters[0].schema.pattern, r"\w([\w-.]*\w)?");
}

#[test]
fn bodies_are_left_out_where_there_is_nothing_to_send() {
    let document = document();
    assert!(
        document.paths["/rooms"]
            .post
            .as_ref()
            .unwrap()
            .request_body
            .is_none()
    );
    let open = document.paths["/scraps/{rest}"]
        .post
        .as_ref()
        .unwrap()
        .request_body
        .as_ref()
        .unwrap();
    assert!(
        open.content["application/json"]
            .schema
            .additional_properties
    );
    let loan = document.paths["/loans/{name}"]
        .post
        .as_ref()
        .unwrap()
        .request_body
        .as_ref()
        .unwrap();
    assert_eq!(
        loan.content["application/json"]
            .schema
            .properties
            .keys()
            .collect::<Vec<_>>(),
        ["ttl"]
    );
}

#[test]
fn there_are_no_references_and_no_secrets() {
    let text = raw(Some("shelf")).to_string();
    assert!(!text.contains("$ref"));
    assert!(!text.contains("hush"));
}
