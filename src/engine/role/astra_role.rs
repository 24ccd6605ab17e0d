//! An Astra role that a Vault role gives out.

use serde::Deserialize;
use serde::Serialize;

/// An Astra role as the operator named it and as Astra knows it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct AstraRole {
    /// The name or id that the operator wrote.
    pub given: String,
    /// The role's id.
    pub id: String,
    /// Whether it let a token make lasting credentials when it was looked up.
    #[serde(default)]
    pub is_token_admin: bool,
}
