//! An OpenAPI document with exactly the types that a host decodes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;

/// Reads `document` as strictly as a host, or stricter: a key that is no part of a host's types is an
/// error too, since the host would lose it.
pub(crate) fn decode(document: Value) -> Document {
    assert!(document.is_object(), "{document}");
    let text = document.to_string();
    assert!(!text.contains("\"$ref\""), "a host loses references");
    let document: Document =
        serde_json::from_value(document).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.openapi, "3.0.2");
    for (path, item) in &document.paths {
        assert!(path.starts_with('/'), "{path}");
        item.check(path);
    }
    document
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Document {
    openapi: String,
    info: Info,
    pub paths: BTreeMap<String, PathItem>,
    components: Components,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Info {
    title: String,
    description: String,
    version: String,
    license: License,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct License {
    name: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Components {
    schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct PathItem {
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default, rename = "x-vault-sudo")]
    sudo: bool,
    #[serde(default, rename = "x-vault-unauthenticated")]
    unauthenticated: bool,
    #[serde(default, rename = "x-vault-createSupported")]
    create_supported: bool,
    #[serde(default, rename = "x-vault-displayAttrs")]
    display: Option<Display>,
    get: Option<Operation>,
    post: Option<Operation>,
    patch: Option<Operation>,
    delete: Option<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Operation {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "operationId")]
    operation_id: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(rename = "requestBody")]
    request_body: Option<RequestBody>,
    responses: BTreeMap<String, Response>,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Parameter {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(rename = "in")]
    location: String,
    schema: Schema,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct RequestBody {
    #[serde(default)]
    required: bool,
    content: BTreeMap<String, Media>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Response {
    description: String,
    #[serde(default)]
    content: BTreeMap<String, Media>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Media {
    schema: Schema,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Schema {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
    #[serde(rename = "additionalProperties")]
    additional: Option<Map<String, Value>>,
    #[serde(default)]
    required: Vec<String>,
    items: Option<Box<Schema>>,
    #[serde(default)]
    format: String,
    #[serde(default)]
    pattern: String,
    #[serde(default, rename = "enum")]
    choices: Vec<Value>,
    default: Option<Value>,
    example: Option<Value>,
    #[serde(default)]
    deprecated: bool,
    #[serde(rename = "x-vault-displayAttrs")]
    display: Option<Display>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code)]
struct Display {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    value: Option<Value>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    navigation: bool,
    #[serde(default)]
    item_type: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    edit_type: String,
}

impl PathItem {
    fn check(&self, path: &str) {
        let operations = [&self.get, &self.post, &self.patch, &self.delete];
        let mut operations = operations.into_iter().flatten().peekable();
        assert!(operations.peek().is_some(), "{path} has no operation");
        for operation in operations {
            assert!(
                !operation.responses.is_empty(),
                "{path}: {}",
                operation.operation_id
            );
            assert_eq!(operation.tags, ["secrets"], "{path}");
        }
        for capture in path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            let described = self
                .parameters
                .iter()
                .find(|parameter| parameter.name == capture);
            let described =
                described.unwrap_or_else(|| panic!("{path}: {capture} is not described"));
            assert!(
                described.location == "path" && described.required,
                "{path}: {capture}"
            );
        }
    }
}
