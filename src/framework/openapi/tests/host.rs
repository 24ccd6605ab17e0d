//! What a host decodes the document into: every type fixed, nothing unknown.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostDocument {
    pub(super) openapi: String,
    pub(super) info: HostInfo,
    pub(super) paths: BTreeMap<String, HostPathItem>,
    pub(super) components: HostComponents,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostInfo {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) license: HostLicense,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostLicense {
    pub(super) name: String,
    pub(super) url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostComponents {
    pub(super) schemas: BTreeMap<String, HostSchema>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostPathItem {
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) parameters: Vec<HostParameter>,
    #[serde(default, rename = "x-vault-sudo")]
    pub(super) sudo: bool,
    #[serde(default, rename = "x-vault-unauthenticated")]
    pub(super) unauthenticated: bool,
    #[serde(default, rename = "x-vault-createSupported")]
    pub(super) create_supported: bool,
    pub(super) get: Option<HostOperation>,
    pub(super) post: Option<HostOperation>,
    pub(super) patch: Option<HostOperation>,
    pub(super) delete: Option<HostOperation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct HostOperation {
    #[serde(default)]
    pub(super) summary: String,
    pub(super) operation_id: String,
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) parameters: Vec<HostParameter>,
    pub(super) request_body: Option<HostRequestBody>,
    pub(super) responses: BTreeMap<String, HostResponse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostParameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(rename = "in")]
    pub(super) location: String,
    pub(super) schema: HostSchema,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) deprecated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostRequestBody {
    pub(super) required: bool,
    pub(super) content: BTreeMap<String, HostMediaType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostMediaType {
    pub(super) schema: HostSchema,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostSchema {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) properties: BTreeMap<String, HostSchema>,
    #[serde(default, rename = "additionalProperties")]
    pub(super) additional_properties: bool,
    #[serde(default)]
    pub(super) required: Vec<String>,
    pub(super) items: Option<Box<HostSchema>>,
    #[serde(default)]
    pub(super) format: String,
    #[serde(default)]
    pub(super) pattern: String,
    #[serde(default, rename = "enum")]
    pub(super) choices: Vec<Value>,
    pub(super) default: Option<Value>,
    #[serde(default)]
    pub(super) deprecated: bool,
    #[serde(rename = "x-vault-displayAttrs")]
    pub(super) display: Option<HostDisplayAttributes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostDisplayAttributes {
    pub(super) sensitive: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostResponse {
    pub(super) description: String,
    #[serde(default)]
    pub(super) content: BTreeMap<String, HostMediaType>,
}
