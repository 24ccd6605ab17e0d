//! Leases of the archived Go engine, in the shapes of its versions.

use serde_json::Map;
use serde_json::Value;

use crate::astra;
use crate::engine::creds::LeaseError;
use crate::vault::LeaseInfo;

/// What a lease of the archived engine carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct OldLease {
    /// The token's client id; empty where Astra refused the mint and it was leased all the same.
    pub(super) client_id: String,
    /// The key of its organization's config; empty before version 1.
    pub(super) org_key: String,
    /// The role's name; `None` before version 2.
    pub(super) role: Option<String>,
    /// What the stored token's keys may end with.
    pub(super) token_ids: Vec<String>,
}

impl OldLease {
    /// What `lease` carries; `None` for a lease of this engine.
    ///
    /// # Errors
    /// [`LeaseError::Foreign`] for a lease that none of the two wrote.  It never quotes it: it may hold a
    /// token.
    pub(super) fn of(lease: &LeaseInfo) -> Result<Option<Self>, LeaseError> {
        let data = &lease.internal_data;
        if data.contains_key("client_id") {
            return Ok(None);
        }
        if data.contains_key("clientId") {
            return Self::of_version_2(data).map(Some);
        }
        match data.contains_key("token") {
            true => Self::of_version_1(data).map(Some),
            false => Ok(None),
        }
    }

    fn of_version_2(data: &Map<String, Value>) -> Result<Self, LeaseError> {
        let client_id = text(data, "clientId")?;
        Ok(Self {
            client_id: client_id.to_owned(),
            org_key: text(data, "orgId")?.to_owned(),
            role: Some(text(data, "roleName")?.to_owned()),
            token_ids: vec![text(data, "tokenId")?.to_owned()],
        })
    }

    /// It kept the whole token, of which nothing but the client id is taken out.
    fn of_version_1(data: &Map<String, Value>) -> Result<Self, LeaseError> {
        let client_id = match text(data, "token")? {
            "" => "",
            token => astra::client_id(token).map_err(|_| LeaseError::Foreign)?,
        };
        Ok(Self {
            client_id: client_id.to_owned(),
            org_key: text(data, "orgId")?.to_owned(),
            role: None,
            token_ids: vec![client_id.to_owned()],
        })
    }
}

/// The text at `key`; empty where there is none.
fn text<'a>(data: &'a Map<String, Value>, key: &str) -> Result<&'a str, LeaseError> {
    match data.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(LeaseError::Foreign),
    }
}
