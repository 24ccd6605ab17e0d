//! The organization of the root token.

use serde::Deserialize;

use super::client::Client;
use super::deadline::Deadline;
use super::error::Error;
use super::response::decode;

/// Whether two ids are of the same organization.  Where they come from differs (an operator, an answer,
/// what is stored), and so may the case of their letters.
pub fn is_same_organization(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Client {
    /// The id of the organization that the root token belongs to.
    ///
    /// Any live token may ask, so this is also the test of whether a token is alive.
    pub async fn current_org(&self, deadline: Deadline) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Organization {
            #[serde(alias = "ID", alias = "orgId")]
            id: String,
        }
        let request = Self::org_request();
        let body = self.probe(deadline).await?;
        let call = request.call(1);
        let organization: Organization = decode(&call, &body)?;
        if organization.id.is_empty() {
            let reason = "the organization's id is empty".to_owned();
            return Err(Error::Malformed { call, reason });
        }
        // Another caller may have been first; the answer is the same.
        let _ = self.0.own_org.set(organization.id.clone());
        Ok(organization.id)
    }

    /// [`Client::current_org`], asked once in the client's life: a token never changes it.
    pub async fn own_org(&self, deadline: Deadline) -> Result<&str, Error> {
        if let Some(known) = self.0.own_org.get() {
            return Ok(known);
        }
        let found = self.current_org(deadline).await?;
        Ok(self.0.own_org.get_or_init(|| found))
    }

    /// Refuses to go on where the configuration names another organization than the root token's own,
    /// be it one of the same enterprise: what such a token may list and delete there is unknown, and a
    /// list of the wrong organization shows nothing.
    pub(super) async fn check_org(&self, deadline: Deadline) -> Result<(), Error> {
        let Some(expected) = &self.0.org_id else {
            return Ok(());
        };
        let found = self.own_org(deadline).await?;
        match is_same_organization(found, expected) {
            true => Ok(()),
            false => Err(Error::WrongOrganization {
                expected: expected.clone(),
                found: found.to_owned(),
            }),
        }
    }
}
