//! One entry of the API's token list.

use serde::Deserialize;
use time::OffsetDateTime;

use super::timestamp;

/// A token as the API lists it, without its secret, which is shown only once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenEntry {
    /// The id; case-sensitive.
    pub client_id: String,
    /// The description; `None` when the service does not say.
    pub description: Option<String>,
    /// When it was made.
    pub generated_on: Option<OffsetDateTime>,
    /// The ids of its Astra roles.  Old tokens may show names here, or roles that are gone.
    pub roles: Vec<String>,
    /// When it ends; `None` when never, or when the service does not say.
    pub token_expiry: Option<OffsetDateTime>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedToken {
    #[serde(alias = "clientID")]
    client_id: String,
    /// `None` when there is no such key.
    #[serde(default, deserialize_with = "some")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    generated_on: Option<OffsetDateTime>,
    #[serde(default, deserialize_with = "null_as_default")]
    roles: Vec<String>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    token_expiry: Option<OffsetDateTime>,
}

impl ListedToken {
    /// The id; case-sensitive.
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The description, empty where it is `null`; `None` where there is no such key.
    pub(super) fn description(&self) -> Option<&str> {
        let description = self.description.as_ref()?;
        Some(description.as_deref().unwrap_or_default())
    }
}

impl From<ListedToken> for TokenEntry {
    fn from(listed: ListedToken) -> Self {
        Self {
            client_id: listed.client_id,
            description: listed.description.flatten(),
            generated_on: listed.generated_on,
            roles: listed.roles,
            token_expiry: listed.token_expiry,
        }
    }
}

fn some<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Go writes an empty list as `null`.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
