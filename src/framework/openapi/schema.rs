//! Fields as JSON schemas.

use serde_json::Value;

use super::document::DisplayAttributes;
use super::document::Parameter;
use super::document::Schema;
use crate::framework::Field;
use crate::framework::FieldType;

/// The schema of a request property.
pub(super) fn property(field: &Field) -> Schema<'_> {
    Schema {
        description: field.description.trim(),
        deprecated: field.deprecated,
        ..bare(field)
    }
}

/// The schema of a property of an answer.
pub(super) fn answered(field: &Field) -> Schema<'_> {
    match field.kind {
        // Text or any other value, as it was sent.
        FieldType::Json => Schema {
            kind: "",
            format: "",
            ..property(field)
        },
        _ => property(field),
    }
}

/// A path or query parameter.
pub(super) fn parameter<'a>(
    field: &'a Field,
    location: &'static str,
    required: bool,
) -> Parameter<'a> {
    Parameter {
        name: field.name,
        description: field.description.trim(),
        location,
        schema: bare(field),
        required,
        deprecated: field.deprecated,
    }
}

fn bare(field: &Field) -> Schema<'_> {
    let (kind, format, pattern) = match field.kind {
        FieldType::Bool => ("boolean", "", ""),
        FieldType::CommaIntSlice
        | FieldType::CommaStringSlice
        | FieldType::Slice
        | FieldType::StringSlice => ("array", "", ""),
        FieldType::Duration | FieldType::SignedDuration => ("string", "duration", ""),
        FieldType::Float => ("number", "float", ""),
        FieldType::Header | FieldType::String => ("string", "", ""),
        FieldType::Int => ("integer", "", ""),
        FieldType::Int64 => ("integer", "int64", ""),
        FieldType::Json => ("string", "json", ""),
        FieldType::KvPairs => ("object", "kvpairs", ""),
        FieldType::Lowercase => ("string", "lowercase", ""),
        FieldType::Map => ("object", "map", ""),
        FieldType::Name => ("string", "", r"\w([\w-.]*\w)?"),
        FieldType::Time => ("string", "date-time", ""),
    };
    let items = match field.kind {
        FieldType::CommaIntSlice => Some("integer"),
        FieldType::CommaStringSlice | FieldType::StringSlice => Some("string"),
        FieldType::Slice => Some("object"),
        _ => None,
    };
    Schema {
        kind,
        format,
        pattern,
        items: items.map(|kind| {
            Box::new(Schema {
                kind,
                ..Schema::default()
            })
        }),
        default: field
            .default
            .clone()
            .filter(|_| !field.sensitive)
            .map(|default| match default {
                Value::Number(number) if kind == "string" => Value::String(number.to_string()),
                other => other,
            }),
        display: field
            .sensitive
            .then_some(DisplayAttributes { sensitive: true }),
        ..Schema::default()
    }
}
