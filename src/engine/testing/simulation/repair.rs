//! What only an operator can repair.

use std::rc::Rc;
use std::time::Duration;

use astra_emulator::TokenState;
use astra_emulator::TokenView;
use serde_json::Value;
use serde_json::json;

use super::host::LeaseState;
use super::operation::RootToken;
use super::operation::config;
use super::world::World;
use crate::engine::connection::ConfigEntry;
use crate::engine::role::RoleEntry;
use crate::engine::role::StaticRoleEntry;
use crate::engine::store::Key;
use crate::vault::Operation as Asked;

impl World {
    /// An operator gives a config whose root token does not work another one.
    pub async fn repair(self: &Rc<Self>) {
        for org in &self.orgs {
            for _ in 0..5 {
                if self.has_root_token(org.number)
                    || self
                        .write_config(org.number, RootToken::New, true, None)
                        .await
                {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
    }

    /// An operator gives a config whose root token has ended by itself another one.  One that somebody
    /// deleted, or that ends later, is not replaced: that would hide what the engine did to it.
    pub async fn replace_ended_root_tokens(self: &Rc<Self>) {
        for org in &self.orgs {
            let stored = self.stored_root_token(org.number);
            if stored.is_some_and(|(_, token)| token.state == TokenState::Expired) {
                self.write_config(org.number, RootToken::New, true, None)
                    .await;
            }
        }
    }

    /// Whether the config's root token is of another organization.
    pub fn has_foreign_token(&self, org: usize) -> bool {
        let stored = self.stored_root_token(org);
        stored.is_some_and(|(_, token)| token.org_id != self.orgs[org].id)
    }

    /// An operator revokes what the host has given up.
    pub async fn revoke_irrevocable(self: &Rc<Self>) {
        let irrevocable: Vec<usize> = {
            let leases = self.leases.borrow();
            let given_up = leases
                .iter()
                .filter(|lease| lease.state == LeaseState::Irrevocable);
            given_up.map(|lease| lease.id).collect()
        };
        for id in irrevocable {
            self.revoke(id).await;
        }
    }

    /// An operator who restored a snapshot writes roles again whose custom role is gone since: a read of
    /// the role says so (docs/internals/reliability.md, "Snapshots").  So does one who moved a config, for
    /// static roles whose custom role is in the organization that it left: the write of the config says so,
    /// and no rotation succeeds.
    pub async fn write_lost_policies(self: &Rc<Self>) {
        for (org, path, policy) in self.lost_policies() {
            let policy = json!({"policy": policy});
            self.ask(Some(org), Asked::Update, &path, policy).await;
        }
    }

    /// Organizations, paths and policies of roles whose custom role restored storage only knows of.
    fn lost_policies(&self) -> Vec<(usize, String, Value)> {
        let is_restored = !self.forgotten.borrow().is_empty();
        let of_roles = self.stored::<RoleEntry>(Key::ROLES).into_iter();
        let of_roles = of_roles.map(|(name, role)| ("roles", name, role.granted.policy));
        let of_static = self.stored::<StaticRoleEntry>(Key::STATIC_ROLES);
        let of_static = of_static
            .into_iter()
            .map(|(name, role)| ("static-roles", name, role.claim().cloned()));
        let claims = of_roles.chain(of_static);
        let lost = claims.filter_map(|(folder, name, custom)| {
            let custom = custom?;
            let is_of = |org: usize| name.starts_with(&format!("{}-", config(org)));
            let org = (0..self.orgs.len()).find(|org| is_of(*org))?;
            let was_foreign = self.peers(org).any(|org| org.was_foreign.get());
            let was_moved = folder == "static-roles" && was_foreign;
            if !is_restored && !was_moved {
                return None;
            }
            let roles = self.astra.roles(Some(&self.orgs[org].id)).ok()?;
            let is_gone = roles.iter().all(|role| role.id != custom.role_id);
            is_gone.then(|| (org, format!("{folder}/{name}"), custom.given))
        });
        lost.collect()
    }

    pub(super) fn stored_root_token(&self, org: usize) -> Option<(ConfigEntry, TokenView)> {
        let configs = self.stored::<ConfigEntry>(Key::CONFIGS);
        let (_, entry) = configs.into_iter().find(|(name, _)| name == config(org))?;
        let token = self.astra.token(entry.token_client_id())?;
        Some((entry, token))
    }

    /// Whether the config can be used.  A config keeps the organization that it is for when another token
    /// is written untried: where that is another one, it refuses each request, until an operator who reads
    /// the error moves it with a tried write (docs/errors.md).
    pub fn has_root_token(&self, org: usize) -> bool {
        let own = &self.orgs[org].id;
        let stored = self.stored_root_token(org);
        let works = stored.is_some_and(|(entry, token)| {
            let is_own = token.org_id == *own && entry.org_id.is_none_or(|org_id| org_id == *own);
            token.state == TokenState::Active && is_own
        });
        if works {
            self.orgs[org].is_broken.set(false);
        }
        works
    }
}
