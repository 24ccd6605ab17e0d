//! Changes by hand, as in the portal: tokens, roles, organizations, databases.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock;
use crate::emulator::Emulator;
use crate::error::Error;
use crate::ids;
use crate::seed;
use crate::seed::OrgSeed;
use crate::seed::TokenSeed;
use crate::state::NewToken;
use crate::state::World;
use crate::state::database::Database;
use crate::state::org;
use crate::state::role::Policy;
use crate::state::role::Role;
use crate::state::token::Origin;

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
        let mut world = self.inner.shared.lock();
        let org = organization_id(&world, wanted.org_id.as_deref())?;
        let now = world.now();
        let roles = wanted
            .roles
            .into_iter()
            .map(|role| {
                let named = world.state.roles.of(&org).find(|own| own.name == role);
                named.map(|own| own.id.clone()).unwrap_or(role)
            })
            .collect();
        let new = NewToken {
            org_id: org.into(),
            roles,
            description: wanted.description,
            expiry: wanted
                .expires_in_s
                .map(|s| clock::later(now, Duration::from_secs(s))),
            minted_by: None,
            origin: Origin::Portal,
            enterprise: wanted.enterprise,
        };
        let facts = world.mint(new, now);
        drop(world);
        self.inner.shared.changed.notify_waiters();
        Ok(TokenSeed::from(&*facts))
    }

    /// Deletes a token by hand, at once.
    ///
    /// # Errors
    ///
    /// There is no such token, or it was deleted before.
    pub fn revoke_token(&self, client_id: &str) -> Result<(), Error> {
        let mut world = self.inner.shared.lock();
        let now = world.now();
        let deleted = world.state.ledger.delete(client_id, now, now, now);
        drop(world);
        self.inner.shared.changed.notify_waiters();
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
        let mut world = self.inner.shared.lock();
        let now = world.now();
        match world.state.ledger.get_mut(client_id) {
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
        let mut world = self.inner.shared.lock();
        let org = organization_id(&world, org_id)?;
        let role = Role {
            id: ids::uuid(&mut world.rng),
            org_id: Some(org),
            name: name.to_owned(),
            policy,
            last_update_date_time: clock::rfc3339(world.now()),
            last_update_user_id: String::new(),
        };
        world.state.roles.put(role.clone());
        Ok(role)
    }

    /// Replaces the policy of a role, built-in ones included.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn edit_role(&self, id: &str, policy: Policy) -> Result<Role, Error> {
        let mut world = self.inner.shared.lock();
        let Some(old) = world.state.roles.find(id).cloned() else {
            return Err(Error::unknown("role", id));
        };
        let role = Role {
            policy,
            last_update_date_time: clock::rfc3339(world.now()),
            ..Role::clone(&old)
        };
        world.state.roles.put(role.clone());
        Ok(role)
    }

    /// Deletes a role; tokens keep its id, which grants nothing any more.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn delete_role(&self, id: &str) -> Result<(), Error> {
        let removed = self.inner.shared.lock().state.roles.remove(id);
        removed.map(drop).ok_or_else(|| Error::unknown("role", id))
    }

    /// The roles an organization sees; `None` is the first one.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn roles(&self, org_id: Option<&str>) -> Result<Vec<Role>, Error> {
        let world = self.inner.shared.lock();
        let org = organization_id(&world, org_id)?;
        Ok(world
            .state
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
        let mut world = self.inner.shared.lock();
        seed::organization(&mut world, name, enterprise_id.map(str::to_owned));
        let added = world.seeds.organizations.last().cloned();
        added.ok_or_else(|| Error::unknown("organization", name))
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
        let mut world = self.inner.shared.lock();
        let Some(org) = world.state.org_mut(id) else {
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
        let mut world = self.inner.shared.lock();
        let found = world
            .state
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
        self.inner.shared.lock().state.databases.clone()
    }
}

fn organization_id(world: &World, id: Option<&str>) -> Result<String, Error> {
    match id {
        Some(id) if world.state.org(id).is_some() => Ok(id.to_owned()),
        Some(id) => Err(Error::unknown("organization", id)),
        None => match world.state.orgs.first() {
            Some(org) => Ok(org.id.clone()),
            None => Err(Error::unknown("organization", "")),
        },
    }
}
