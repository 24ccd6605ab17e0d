//! The OpenAPI document that a host merges with those of its other mounts.
//!
//! A host decodes the document into fixed types, and one wrong type spoils the merged document for
//! everyone, so that it is written from types too ([`document`]).  Request schemas stand where they
//! are used: the host loses references (docs/internals/protocol.md, "OpenAPI").

mod document;
mod operation_id;
mod path_item;
mod response;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use self::document::Components;
use self::document::Document;
use self::document::Info;
use self::document::License;
use self::operation_id::OperationIds;
use super::path::Route;
use crate::vault::Error;
use crate::vault::SpecialPaths;

/// The document of `routes`; `prefix` begins every operation id, `version` is the host's, `license` is
/// the engine's, as an SPDX identifier.
///
/// # Errors
/// [`Error::Internal`] if the document cannot be written as JSON, which its types rule out.
pub(crate) fn document<E>(
    routes: &[Route<E>],
    special: &SpecialPaths,
    prefix: &str,
    version: &str,
    description: &str,
    license: &str,
) -> Result<Value, Error> {
    let mut ids = OperationIds::new(prefix);
    let mut paths = BTreeMap::new();
    for route in routes {
        path_item::add(route, special, &mut ids, &mut paths);
    }
    let document = Document {
        openapi: "3.0.2",
        info: Info {
            title: "Secrets engine API",
            description: description.trim(),
            version: if version.is_empty() {
                "unknown"
            } else {
                version
            },
            license: (!license.is_empty()).then(|| License {
                name: license,
                url: format!("https://spdx.org/licenses/{license}.html"),
            }),
        },
        paths,
        components: Components {
            schemas: BTreeMap::new(),
        },
    };
    serde_json::to_value(document)
        .map_err(|error| Error::Internal(format!("the OpenAPI document: {error}")))
}
