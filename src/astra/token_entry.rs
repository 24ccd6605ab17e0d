//! One entry of the API's token list.

use serde::Deserialize;
use time::OffsetDateTime;

use super::timestamp;

/// A token as the API lists it, without its secret, which is shown only once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TokenEntry {
    /// The id; case-sensitive.
    #[serde(alias = "clientID")]
    pub client_id: String,
    /// The description; `None` when the service does not say.
    #[serde(default)]
    pub description: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "timestamp::lenient")]
    pub generated_on: Option<OffsetDateTime>,
    /// The ids of its Astra roles.  Old tokens may show names here, or roles that are gone.
    #[serde(default, deserialize_with = "null_as_default")]
    pub roles: Vec<String>,
    /// When it ends; `None` when never, or when the service does not say.
    #[serde(default, deserialize_with = "timestamp::lenient")]
    pub token_expiry: Option<OffsetDateTime>,
}

/// Go writes an empty list as `null`.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
