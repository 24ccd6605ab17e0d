//! Answers as JSON schemas: the whole body that the host sends, so that a generated client reads it.

use std::collections::BTreeMap;

use super::document::MediaType;
use super::document::Response;
use super::document::Schema;
use super::schema;
use crate::framework::path::PathOperation;
use crate::vault::Operation;

/// The field of an answer that is the whole body to the host.
const RAW_BODY: &str = "http_raw_body";

/// The answers of a successful operation, by HTTP status.
pub(super) fn responses<E>(declared: &PathOperation<E>) -> BTreeMap<&'static str, Response<'_>> {
    let has_data = !declared.returns.is_empty();
    let is_raw = declared.shown().any(|field| field.name == RAW_BODY);
    if declared.operation == Operation::Delete && !has_data {
        return BTreeMap::from([("204", empty_body())]);
    }
    let mut responses = BTreeMap::from([(
        "200",
        Response {
            description: "OK",
            content: match (has_data, is_raw) {
                (_, true) => BTreeMap::from([("text/plain", text_body())]),
                (true, false) => BTreeMap::from([("application/json", body(declared))]),
                (false, false) => BTreeMap::new(),
            },
        },
    )]);
    let is_write = matches!(
        declared.operation,
        Operation::Create | Operation::Update | Operation::Patch
    );
    if is_write && !has_data {
        responses.insert("204", empty_body());
    }
    responses
}

/// A body that the host sends as it is.
fn text_body() -> MediaType<'static> {
    MediaType {
        schema: Schema {
            kind: "string",
            ..Schema::default()
        },
    }
}

fn empty_body() -> Response<'static> {
    Response {
        description: "empty body",
        content: BTreeMap::new(),
    }
}

/// The host's body: what the engine answered is its `data`.
fn body<E>(declared: &PathOperation<E>) -> MediaType<'_> {
    let required = declared.shown().filter(|field| field.required);
    let data = Schema {
        kind: "object",
        required: required.map(|field| field.name).collect(),
        properties: declared
            .shown()
            .map(|field| (field.name, schema::answered(field)))
            .collect(),
        ..Schema::default()
    };
    let text = |kind, description| Schema {
        kind,
        description,
        ..Schema::default()
    };
    let warnings = Schema {
        items: Some(Box::new(text("string", ""))),
        ..text("array", "What the caller should know; null without any.")
    };
    let properties = BTreeMap::from([
        ("data", data),
        (
            "lease_duration",
            text("integer", "Seconds that the lease lasts; 0 without one."),
        ),
        ("lease_id", text("string", "The lease; empty without one.")),
        (
            "renewable",
            text("boolean", "Whether the lease can be renewed."),
        ),
        (
            "request_id",
            text("string", "The request, as the audit log has it."),
        ),
        ("warnings", warnings),
    ]);
    MediaType {
        schema: Schema {
            kind: "object",
            required: vec!["data"],
            properties,
            ..Schema::default()
        },
    }
}
