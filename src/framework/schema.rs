//! The fields of one path.

use std::collections::BTreeMap;

use super::Field;
use super::coerce;
use super::coerce::CoercionError;
use super::coerce::FieldValue;
use crate::secret::Secret;

/// Declared fields by name, with their defaults converted.
#[derive(Default)]
pub(crate) struct Schema {
    fields: BTreeMap<&'static str, Field>,
    defaults: BTreeMap<&'static str, FieldValue>,
}

impl Schema {
    /// Adds `field`; says whether its name was free.
    pub(crate) fn insert(&mut self, field: Field) -> Result<bool, CoercionError> {
        if self.fields.contains_key(field.name) {
            return Ok(false);
        }
        let default = match &field.default {
            Some(default) => convert(&field, default.clone())?,
            None => None,
        };
        if let Some(default) = default {
            self.defaults.insert(field.name, default);
        }
        self.fields.insert(field.name, field);
        Ok(true)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    pub(crate) fn default_of(&self, name: &str) -> Option<&FieldValue> {
        self.defaults.get(name)
    }

    /// The fields, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.values()
    }
}

/// Converts `value` for `field`; `None` is "unset".
pub(crate) fn convert(
    field: &Field,
    value: serde_json::Value,
) -> Result<Option<FieldValue>, CoercionError> {
    Ok(match coerce::coerce(field.kind, value)? {
        Some(FieldValue::Text(text)) if field.sensitive => {
            Some(FieldValue::Secret(Secret::new(text)))
        }
        converted => converted,
    })
}
