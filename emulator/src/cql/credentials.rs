//! Who a CQL client is.

use crate::auth;
use crate::cql::plane::Place;
use crate::cql::registry::CqlCredential;
use crate::ids;
use crate::policy::Rights;
use crate::state::service_state::ServiceState;

/// What a client sent, without its secret part.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) form: Option<CqlCredential>,
    /// As far as it could be read.
    pub(super) client_id: Option<String>,
    hash: String,
}

impl Login {
    /// Reads a response of the mechanism PLAIN: authorization id, user name, password, with a zero
    /// byte between them.
    pub(super) fn parse(response: &[u8]) -> Option<Self> {
        let mut parts = response.split(|byte| *byte == 0);
        let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (user, password) = (
            std::str::from_utf8(user).ok()?,
            std::str::from_utf8(password).ok()?,
        );
        let (form, id, hash) = match user {
            "token" => match ids::parse_token(password) {
                Some((id, hash)) => (Some(CqlCredential::Token), Some(id), hash.to_owned()),
                None => (Some(CqlCredential::Token), None, String::new()),
            },
            id if ids::is_client_id(id) => (
                Some(CqlCredential::Secret),
                Some(id),
                // A token's last part is the hash of its secret: both forms are one credential.
                ids::hash(password),
            ),
            _ => (None, None, String::new()),
        };
        Some(Self {
            user: user.to_owned(),
            form,
            client_id: id.map(str::to_owned),
            hash,
        })
    }

    /// The rights of a credential that works for the database now. Records as a violation what no
    /// client that took a credential from the plugin can send.
    pub(super) fn rights(&self, state: &mut ServiceState, place: &Place) -> Option<Rights> {
        let now = state.now();
        let Some(client_id) = &self.client_id else {
            if self.form.is_none() {
                let detail = "the user name is neither `token` nor a client id";
                state.record_connection_violation("cql_credentials", None, detail);
            }
            return None;
        };
        let Some(token) = auth::known(state, client_id, &self.hash, now) else {
            let other_case = state.records.ledger.iter().any(|token| {
                token.facts.client_id.eq_ignore_ascii_case(client_id)
                    && *token.facts.client_id != **client_id
            });
            if other_case {
                state.record_connection_violation(
                    "cql_credentials",
                    Some(client_id.clone()),
                    "the client id has lost its case",
                );
            }
            return None;
        };
        if token.expired(now) {
            return None;
        }
        let database = state.records.database(&place.database)?;
        let rights = auth::rights(&state.records, &token.facts, &token.facts.org_id);
        rights
            .resource("db-cql", &database.resource())
            .then_some(rights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_three_parts() {
        assert!(Login::parse(b"").is_none());
        assert!(Login::parse(b"\0token").is_none());
        assert!(Login::parse(b"\0token\0a\0b").is_none());
        let login = Login::parse(b"\0token\0nonsense");
        let read = login.map(|login| (login.form, login.client_id));
        assert_eq!(read, Some((Some(CqlCredential::Token), None)));
    }
}
