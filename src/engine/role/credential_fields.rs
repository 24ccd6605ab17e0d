//! What a credential consists of.

use super::database;
use crate::framework::Field;

/// The fields of a credential; only a leased one always tells when it expires.
pub fn credential_fields(is_leased: bool) -> Vec<Field> {
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
