//! Changes by hand, as in the portal: tokens, roles, organizations, databases.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock;
use crate::emulator::handle::Emulator;
use crate::emulator::numbered::Numbered;
use crate::error::Error;
use crate::ids;
use crate::seed;
use crate::state::database::Database;
use crate::state::org;
use crate::state::org::User;
use crate::state::role::Policy;
use crate::state::role::Role;
use crate::state::seeds::OrgSeed;
use crate::state::seeds::TokenSeed;
use crate::state::service_state::NewToken;
use crate::state::service_state::ServiceState;
use crate::state::token::Deletion;
use crate::state::token::Origin;

/// As many tokens can be made by one call.
const MOST_AT_ONCE: usize = 1_000_000;

/// A token to be made by hand, as in Astra's portal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortalToken {
    /// Its organization; the first one if `None`.
    pub org_id: Option<String>,
    /// Role ids or names; anything else is kept as it is.
    pub roles: Vec<String>,
    /// Free text.
    pub description: String,
    /// Seconds from now.
    pub expires_in_s: Option<u64>,
    /// Valid for the whole enterprise.
    pub enterprise: bool,
}

impl Emulator {
    /// Makes a token by hand.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn create_token(&self, wanted: PortalToken) -> Result<TokenSeed, Error> {
        let mut state = self.inner.service.lock();
        let now = state.now();
        let new = portal_token(&state, wanted)?;
        let facts = state.mint(new, now);
        drop(state);
        self.inner.service.changed.notify_waiters();
        Ok(TokenSeed::from(&*facts))
    }

    /// Makes `count` tokens by hand, all alike but for their descriptions: `{n}` there is the token's number,
    /// counted from 0, and `{hex}` the same number as twelve hexadecimal digits.
    ///
    /// # Errors
    ///
    /// There is no such organization, `count` is 0 or above 1,000,000, or the description has
    /// another word in braces. Then none is made.
    pub fn create_tokens(&self, wanted: PortalToken, count: usize) -> Result<(), Error> {
        if count == 0 || count > MOST_AT_ONCE {
            return Err(Error::Invalid(format!(
                "count is from 1 to {MOST_AT_ONCE}, not {count}"
            )));
        }
        let description = wanted.description.clone();
        let description = Numbered::parse(&description)?;
        let new = portal_token(&self.inner.service.lock(), wanted)?;
        let numbers: Vec<usize> = (0..count).collect();
        // Requests are served in between.
        for part in numbers.chunks(1_000) {
            let mut state = self.inner.service.lock();
            let now = state.now();
            for number in part {
                let numbered = NewToken {
                    description: description.of(*number),
                    ..new.clone()
                };
                state.mint(numbered, now);
            }
        }
        self.inner.service.changed.notify_waiters();
        Ok(())
    }

    /// Deletes a token by hand, at once.
    ///
    /// # Errors
    ///
    /// There is no such token, or it was deleted before.
    pub fn revoke_token(&self, client_id: &str) -> Result<(), Error> {
        let mut state = self.inner.service.lock();
        let now = state.now();
        let deleted = state
            .records
            .ledger
            .delete(client_id, Deletion::at_once(now));
        drop(state);
        self.inner.service.changed.notify_waiters();
        match deleted {
            true => Ok(()),
            false => Err(Error::unknown("token", client_id)),
        }
    }

    /// Lets a token expire now.
    ///
    /// # Errors
    ///
    /// There is no such token.
    pub fn expire_token(&self, client_id: &str) -> Result<(), Error> {
        let mut state = self.inner.service.lock();
        let now = state.now();
        match state.records.ledger.get_mut(client_id) {
            Some(token) => {
                token.expiry = Some(now);
                Ok(())
            }
            None => Err(Error::unknown("token", client_id)),
        }
    }

    /// Adds a custom role; `org_id` `None` is the first organization.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn create_role(
        &self,
        org_id: Option<&str>,
        name: &str,
        policy: Policy,
    ) -> Result<Role, Error> {
        let mut state = self.inner.service.lock();
        let org = organization_id(&state, org_id)?;
        let role = Role {
            id: ids::uuid(&mut state.rng),
            org_id: Some(org),
            name: name.to_owned(),
            policy,
            last_update_date_time: clock::rfc3339(state.now()),
            last_update_user_id: String::new(),
        };
        state.records.roles.put(role.clone());
        Ok(role)
    }

    /// Replaces the policy of a role, built-in ones included.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn edit_role(&self, id: &str, policy: Policy) -> Result<Role, Error> {
        let mut state = self.inner.service.lock();
        let Some(old) = state.records.roles.find(id).cloned() else {
            return Err(Error::unknown("role", id));
        };
        let role = Role {
            policy,
            last_update_date_time: clock::rfc3339(state.now()),
            ..Role::clone(&old)
        };
        state.records.roles.put(role.clone());
        Ok(role)
    }

    /// Deletes a role; tokens keep its id, which grants nothing any more.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn delete_role(&self, id: &str) -> Result<(), Error> {
        let removed = self.inner.service.lock().records.roles.remove(id);
        removed.map(drop).ok_or_else(|| Error::unknown("role", id))
    }

    /// The roles an organization sees; `None` is the first one.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn roles(&self, org_id: Option<&str>) -> Result<Vec<Role>, Error> {
        let state = self.inner.service.lock();
        let org = organization_id(&state, org_id)?;
        Ok(state
            .records
            .roles
            .of(&org)
            .map(|role| Role::clone(role))
            .collect())
    }

    /// Adds an organization with an administrator's token; it also shows in [`Emulator::seeds`].
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn create_org(&self, name: &str, enterprise_id: Option<&str>) -> Result<OrgSeed, Error> {
        let mut state = self.inner.service.lock();
        seed::organization(&mut state, name, enterprise_id.map(str::to_owned));
        let added = state.seeds.organizations.last().cloned();
        added.ok_or_else(|| Error::unknown("organization", name))
    }

    /// The people of an organization, invited ones included; `None` is the first one.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn users(&self, org_id: Option<&str>) -> Result<Vec<User>, Error> {
        let state = self.inner.service.lock();
        let org = organization_id(&state, org_id)?;
        let org = state.records.org(&org);
        Ok(org.map(|org| org.users.clone()).unwrap_or_default())
    }

    /// Changes an organization's access list (CIDR, empty admits all) or maximum token life.
    ///
    /// # Errors
    ///
    /// There is no such organization, or an entry of the list is not an address.
    pub fn edit_org(
        &self,
        id: &str,
        devops_acl: Option<Vec<String>>,
        max_token_expiry_s: Option<Option<u64>>,
    ) -> Result<(), Error> {
        if let Some(bad) = devops_acl.iter().flatten().find(|cidr| !org::is_cidr(cidr)) {
            return Err(Error::Invalid(format!("{bad} is not an address or a CIDR")));
        }
        let mut state = self.inner.service.lock();
        let Some(org) = state.records.org_mut(id) else {
            return Err(Error::unknown("organization", id));
        };
        if let Some(acl) = devops_acl {
            org.devops_acl = acl;
        }
        if let Some(max) = max_token_expiry_s {
            org.max_token_expiry_s = max;
        }
        Ok(())
    }

    /// Changes the status of a database.
    ///
    /// # Errors
    ///
    /// There is no such database.
    pub fn set_database_status(&self, id: &str, status: &str) -> Result<(), Error> {
        let mut state = self.inner.service.lock();
        let found = state
            .records
            .databases
            .iter_mut()
            .find(|database| database.id == id);
        let Some(database) = found else {
            return Err(Error::unknown("database", id));
        };
        database.status = status.to_owned();
        database.observed_status = status.to_owned();
        Ok(())
    }

    /// All databases.
    pub fn databases(&self) -> Vec<Database> {
        self.inner.service.lock().records.databases.clone()
    }
}

/// What is to be made of `wanted`.
fn portal_token(state: &ServiceState, wanted: PortalToken) -> Result<NewToken, Error> {
    let org = organization_id(state, wanted.org_id.as_deref())?;
    let roles = wanted
        .roles
        .into_iter()
        .map(|role| {
            let named = state.records.roles.of(&org).find(|own| own.name == role);
            named.map(|own| own.id.clone()).unwrap_or(role)
        })
        .collect();
    let life = wanted.expires_in_s.map(Duration::from_secs);
    Ok(NewToken {
        org_id: org.into(),
        roles,
        description: wanted.description,
        expiry: life.map(|life| clock::later(state.now(), life)),
        minted_by: None,
        origin: Origin::Portal,
        enterprise: wanted.enterprise,
    })
}

fn organization_id(state: &ServiceState, id: Option<&str>) -> Result<String, Error> {
    match id {
        Some(id) if state.records.org(id).is_some() => Ok(id.to_owned()),
        Some(id) => Err(Error::unknown("organization", id)),
        None => match state.records.orgs.first() {
            Some(org) => Ok(org.id.clone()),
            None => Err(Error::unknown("organization", "")),
        },
    }
}
