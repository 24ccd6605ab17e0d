//! One declared path as OpenAPI path items.

use std::collections::BTreeMap;

use super::document::MediaType;
use super::document::Operation;
use super::document::Parameter;
use super::document::PathItem;
use super::document::RequestBody;
use super::document::Schema;
use super::operation_id::OperationIds;
use super::response;
use super::schema;
use crate::framework::Field;
use crate::framework::path::PathOperation;
use crate::framework::path::Route;
use crate::framework::special;
use crate::vault;
use crate::vault::SpecialPaths;

/// Adds the items of `route`: one per form of its template, and one with a trailing slash for lists.
pub(super) fn add<'a, E>(
    route: &'a Route<E>,
    special: &SpecialPaths,
    ids: &mut OperationIds,
    paths: &mut BTreeMap<String, PathItem<'a>>,
) {
    for base in &route.pattern.documented {
        for declared in &route.operations {
            let is_list = declared.operation == vault::Operation::List;
            let path = if is_list {
                format!("{base}/")
            } else {
                base.clone()
            };
            let item = paths
                .entry(path.clone())
                .or_insert_with(|| empty(route, special, &path));
            item.create_supported |= declared.operation == vault::Operation::Create;
            let (slot, verb) = match declared.operation {
                vault::Operation::Read => (&mut item.get, "read"),
                vault::Operation::List => (&mut item.get, "list"),
                vault::Operation::Create | vault::Operation::Update => (&mut item.post, "write"),
                vault::Operation::Patch => (&mut item.patch, "patch"),
                vault::Operation::Delete => (&mut item.delete, "delete"),
                _ => continue,
            };
            // Create and update share POST; of two paths for one request the first is served.
            if slot.is_none() {
                *slot = Some(operation(route, declared, ids.id(verb, &path)));
            }
        }
    }
}

fn empty<'a, E>(route: &'a Route<E>, special: &SpecialPaths, path: &str) -> PathItem<'a> {
    let api_path = path.trim_start_matches('/');
    let in_path = route
        .schema
        .iter()
        .filter(|field| path.contains(&format!("{{{}}}", field.name)));
    PathItem {
        description: route.synopsis.trim(),
        parameters: in_path
            .map(|field| schema::parameter(field, "path", true))
            .collect(),
        sudo: special::contains(&special.root, api_path),
        unauthenticated: special::contains(&special.unauthenticated, api_path),
        ..PathItem::default()
    }
}

fn operation<'a, E>(
    route: &'a Route<E>,
    declared: &'a PathOperation<E>,
    id: String,
) -> Operation<'a> {
    let is_write = matches!(
        declared.operation,
        vault::Operation::Create | vault::Operation::Patch | vault::Operation::Update
    );
    Operation {
        summary: declared.summary.trim(),
        operation_id: id,
        tags: ["secrets"],
        parameters: if is_write {
            Vec::new()
        } else {
            query(route, &declared.operation)
        },
        request_body: if is_write {
            body(route, &declared.operation)
        } else {
            None
        },
        responses: response::responses(declared),
    }
}

/// The query parameters of an operation without a body.
fn query<'a, E>(route: &'a Route<E>, operation: &vault::Operation) -> Vec<Parameter<'a>> {
    let list = (*operation == vault::Operation::List).then(|| Parameter {
        name: "list",
        description: "Must be set to `true`",
        location: "query",
        schema: Schema {
            kind: "string",
            choices: vec!["true".into()],
            ..Schema::default()
        },
        required: true,
        deprecated: false,
    });
    let declared = uncaptured(route, operation).filter(|field| field.query);
    list.into_iter()
        .chain(declared.map(|field| schema::parameter(field, "query", field.required)))
        .collect()
}

/// The body of a write, if it has parameters.
fn body<'a, E>(route: &'a Route<E>, operation: &vault::Operation) -> Option<RequestBody<'a>> {
    let fields: Vec<_> = uncaptured(route, operation).collect();
    if fields.is_empty() && !route.any_parameters {
        return None;
    }
    // A patch leaves out what stays.
    let is_patch = *operation == vault::Operation::Patch;
    let required = fields
        .iter()
        .filter(|field| field.required && !is_patch)
        .map(|field| field.name);
    let schema = Schema {
        kind: "object",
        open: route.any_parameters,
        required: required.collect(),
        properties: fields
            .iter()
            .map(|field| (field.name, schema::property(field)))
            .collect(),
        ..Schema::default()
    };
    // The media type that hosts document, for merge patches too.
    Some(RequestBody {
        required: true,
        content: BTreeMap::from([("application/json", MediaType { schema })]),
    })
}

/// The fields that `operation` takes apart from the captures.
fn uncaptured<'a, E>(
    route: &'a Route<E>,
    operation: &vault::Operation,
) -> impl Iterator<Item = &'a Field> {
    let operations = match operation {
        // They share POST.
        vault::Operation::Create | vault::Operation::Update => {
            vec![vault::Operation::Create, vault::Operation::Update]
        }
        other => vec![other.clone()],
    };
    let captures = &route.pattern.captures;
    route.schema.iter().filter(move |field| {
        !captures.iter().any(|name| name == field.name)
            && operations.iter().any(|operation| field.is_for(operation))
    })
}
