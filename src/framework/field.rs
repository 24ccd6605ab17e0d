//! A parameter that a path declares.

use serde_json::Value;

use crate::vault::Operation;

/// How a parameter is converted (docs/internals/protocol.md, "Field types").
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FieldType {
    /// True or false, also as a number or as Go's words for it.
    Bool,
    /// Whole numbers: an array, or text split at commas.
    CommaIntSlice,
    /// Texts: an array, or text split at commas.
    CommaStringSlice,
    /// Seconds, or text such as `1h30m` or `7d`; never negative.
    Duration,
    /// A decimal number.
    Float,
    /// HTTP headers: an object, JSON text, base64 of JSON text, or `name:value` texts.
    Header,
    /// A whole number.
    Int,
    /// A whole number, told apart from [`FieldType::Int`] in help and OpenAPI only.
    Int64,
    /// A JSON value as it was sent, or JSON text: the engine reads it.
    Json,
    /// Text pairs: an object, or `key=value` texts.
    KvPairs,
    /// Text that is lower-cased.
    Lowercase,
    /// A JSON object.
    Map,
    /// Text that matches Vault's name pattern.
    Name,
    /// As [`FieldType::Duration`], but possibly negative.
    SignedDuration,
    /// Any JSON values.
    Slice,
    /// Text.
    String,
    /// Texts: an array, or a single text.
    StringSlice,
    /// An instant, as RFC 3339 or in seconds since 1970.
    Time,
}

/// A declared parameter.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    pub(crate) description: &'static str,
    pub(crate) default: Option<Value>,
    pub(crate) required: bool,
    pub(crate) sensitive: bool,
    pub(crate) deprecated: bool,
    pub(crate) query: bool,
    pub(crate) operations: Vec<Operation>,
}

impl FieldType {
    /// The word for the type in help texts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::CommaIntSlice | Self::CommaStringSlice | Self::Slice | Self::StringSlice => {
                "slice"
            }
            Self::Duration | Self::SignedDuration => "duration (sec)",
            Self::Float => "float",
            Self::Header => "header",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Json => "json",
            Self::KvPairs => "keypair",
            Self::Lowercase => "lowercase string",
            Self::Map => "map",
            Self::Name => "name string",
            Self::String => "string",
            Self::Time => "time",
        }
    }
}

impl Field {
    /// A parameter of type `kind`.
    pub fn new(kind: FieldType, name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind,
            description,
            default: None,
            required: false,
            sensitive: false,
            deprecated: false,
            query: false,
            operations: Vec::new(),
        }
    }

    /// A [`FieldType::Bool`].
    pub fn bool(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Bool, name, description)
    }

    /// A [`FieldType::CommaIntSlice`].
    pub fn comma_int_slice(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::CommaIntSlice, name, description)
    }

    /// A [`FieldType::CommaStringSlice`].
    pub fn comma_string_slice(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::CommaStringSlice, name, description)
    }

    /// A [`FieldType::Duration`].
    pub fn duration(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Duration, name, description)
    }

    /// A [`FieldType::Float`].
    pub fn float(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Float, name, description)
    }

    /// A [`FieldType::Header`].
    pub fn header(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Header, name, description)
    }

    /// A [`FieldType::Int`].
    pub fn int(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Int, name, description)
    }

    /// A [`FieldType::Int64`].
    pub fn int64(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Int64, name, description)
    }

    /// A [`FieldType::Json`].
    pub fn json(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Json, name, description)
    }

    /// A [`FieldType::KvPairs`].
    pub fn kvpairs(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::KvPairs, name, description)
    }

    /// A [`FieldType::Lowercase`].
    pub fn lowercase(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Lowercase, name, description)
    }

    /// A [`FieldType::Map`].
    pub fn map(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Map, name, description)
    }

    /// A [`FieldType::Name`].
    pub fn name(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Name, name, description)
    }

    /// A [`FieldType::SignedDuration`].
    pub fn signed_duration(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::SignedDuration, name, description)
    }

    /// A [`FieldType::Slice`].
    pub fn slice(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Slice, name, description)
    }

    /// A [`FieldType::String`].
    pub fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::String, name, description)
    }

    /// A [`FieldType::StringSlice`].
    pub fn string_slice(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::StringSlice, name, description)
    }

    /// A [`FieldType::Time`].
    pub fn time(name: &'static str, description: &'static str) -> Self {
        Self::new(FieldType::Time, name, description)
    }

    /// The value when the caller sends none, in any form that the type converts.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Says in the OpenAPI document that the parameter is required, or that the field of an answer is
    /// always there.  Nothing enforces it for parameters: what is missing is for the handler to say,
    /// which knows whether the object exists already.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Marks a secret: [`super::Fields::secret`] reads it, no conversion error repeats it, the
    /// OpenAPI document calls it sensitive and shows no default.
    pub fn secret(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Marks the parameter as deprecated in help and OpenAPI.
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// Takes the parameter also in the query of the operations that have no body: read, list and
    /// delete.
    pub fn query(mut self) -> Self {
        self.query = true;
        self
    }

    /// Takes the parameter for `operations` only; otherwise it is taken by all.
    pub fn only_for(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations.extend(operations);
        self
    }

    /// The fields of the answer to a list ([`crate::vault::Response::list`]).
    pub fn of_list() -> [Self; 2] {
        [
            Self::string_slice("keys", "The names, sorted.").required(),
            Self::map("key_info", "What is told of each, by its name."),
        ]
    }

    pub(crate) fn is_for(&self, operation: &Operation) -> bool {
        self.operations.is_empty() || self.operations.contains(operation)
    }
}
