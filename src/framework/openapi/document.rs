//! The parts of an OpenAPI 3.0 document that hosts know.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) openapi: &'static str,
    pub(super) info: Info<'a>,
    pub(super) paths: BTreeMap<String, PathItem<'a>>,
    pub(super) components: Components,
}

#[derive(Serialize)]
pub(super) struct Info<'a> {
    pub(super) title: &'static str,
    pub(super) description: &'a str,
    pub(super) version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) license: Option<License<'a>>,
}

#[derive(Serialize)]
pub(super) struct License<'a> {
    pub(super) name: &'a str,
    pub(super) url: String,
}

/// Always empty: schemas are inline.
#[derive(Serialize)]
pub(super) struct Components {
    pub(super) schemas: BTreeMap<String, Value>,
}

#[derive(Default, Serialize)]
pub(super) struct PathItem<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<Parameter<'a>>,
    #[serde(rename = "x-vault-sudo", skip_serializing_if = "is_false")]
    pub(super) sudo: bool,
    #[serde(rename = "x-vault-unauthenticated", skip_serializing_if = "is_false")]
    pub(super) unauthenticated: bool,
    #[serde(rename = "x-vault-createSupported", skip_serializing_if = "is_false")]
    pub(super) create_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) get: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) post: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delete: Option<Operation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) summary: &'a str,
    pub(super) operation_id: String,
    pub(super) tags: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<Parameter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_body: Option<RequestBody<'a>>,
    pub(super) responses: BTreeMap<&'static str, Response<'a>>,
}

#[derive(Serialize)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    #[serde(rename = "in")]
    pub(super) location: &'static str,
    pub(super) schema: Schema<'a>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) deprecated: bool,
}

#[derive(Serialize)]
pub(super) struct RequestBody<'a> {
    pub(super) required: bool,
    pub(super) content: BTreeMap<&'static str, MediaType<'a>>,
}

#[derive(Serialize)]
pub(super) struct MediaType<'a> {
    pub(super) schema: Schema<'a>,
}

#[derive(Default, Serialize)]
pub(super) struct Schema<'a> {
    /// Empty for any type.
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) properties: BTreeMap<&'a str, Schema<'a>>,
    #[serde(rename = "additionalProperties", skip_serializing_if = "is_false")]
    pub(super) open: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) required: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Box<Schema<'a>>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) format: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) pattern: &'static str,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(super) choices: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) deprecated: bool,
    #[serde(
        rename = "x-vault-displayAttrs",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) display: Option<DisplayAttributes>,
}

#[derive(Serialize)]
pub(super) struct DisplayAttributes {
    pub(super) sensitive: bool,
}

#[derive(Serialize)]
pub(super) struct Response<'a> {
    pub(super) description: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) content: BTreeMap<&'static str, MediaType<'a>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(flag: &bool) -> bool {
    !flag
}
