//! What a credential consists of.

use serde_json::Map;
use serde_json::Value;

use super::DatabaseChoice;
use super::database;
use super::database::bundle;
use crate::framework::Field;
use crate::secret::Secret;

/// The token of a role or a static role, as an application gets it.
pub(crate) struct Credential<'a> {
    /// The application token.
    pub token: &'a Secret,
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: &'a Secret,
    /// The organization it belongs to.
    pub org_id: String,
    /// When Astra ends it, as text; without it the field is absent.
    pub expires_at: Option<String>,
    /// The database that applications connect to.
    pub database: Option<&'a DatabaseChoice>,
    /// The link to that database's secure connect bundle.
    pub bundle: Option<&'a Secret>,
}

impl Credential<'_> {
    /// The fields; only a leased credential always tells when it expires.
    pub(crate) fn declare(is_leased: bool) -> Vec<Field> {
        let expires_at = Field::string(
            "expires_at",
            "When Astra ends the token by itself. Empty or absent where it does not.",
        );
        let own = [
            Field::string("token", "The application token.")
                .secret()
                .required(),
            Field::string("client_id", "Its client id.").required(),
            Field::string("client_secret", "Its client secret.")
                .secret()
                .required(),
            Field::string("org_id", "Id of its organization.").required(),
            match is_leased {
                true => expires_at.required(),
                false => expires_at,
            },
        ];
        own.into_iter().chain(database::in_credential()).collect()
    }

    /// The fields with their values.
    pub(crate) fn into_data(self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("token".into(), self.token.expose().into());
        data.insert("client_id".into(), self.client_id.into());
        data.insert("client_secret".into(), self.client_secret.expose().into());
        data.insert("org_id".into(), self.org_id.into());
        if let Some(expires_at) = self.expires_at {
            data.insert("expires_at".into(), expires_at.into());
        }
        if let Some(database) = self.database {
            bundle::add_to(&mut data, database, self.bundle);
        }
        data
    }
}
