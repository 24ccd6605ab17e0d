//! Declarative paths: what a Vault secrets engine offers, stated once.
//!
//! An engine declares each [`Path`] with its [`Field`]s, operations and help; the [`Framework`] routes
//! requests, converts input, answers `path-help`, writes the OpenAPI document and hands leases to
//! the [`SecretType`] that issued them.  It behaves like the framework that Vault's own engines use
//! (docs/internals/protocol.md, "What Vault's framework adds"), and knows nothing of any particular
//! engine.

mod attribute;
mod backend;
mod builder;
mod coerce;
mod definition;
mod duration;
mod field;
mod fields;
mod handler;
mod help;
mod ineffective;
mod name;
mod openapi;
mod parameters;
mod path;
mod pattern;
mod schema;
mod secret;
mod special;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::duration_text::format_seconds;
pub use attribute::Attribute;
pub use attribute::AttributeValue;
pub use attribute::Attributes;
pub use backend::Framework;
pub use builder::Builder;
pub use definition::DefinitionError;
pub use duration::DurationError;
pub use duration::parse_seconds;
pub use field::Field;
pub use field::FieldType;
pub use fields::Fields;
pub use handler::Call;
pub use name::is_name;
pub use path::Path;
pub use secret::SECRET_TYPE;
pub use secret::SecretType;
pub use secret::lease;
