//! Entries that cannot be read: damaged ones, and such as a newer version wrote.

use std::rc::Rc;
use std::time::Duration;

use super::operation::Folder;
use super::operation::Operation;
use super::operation::RootToken;
use super::operation::config;
use super::operation::role;
use super::world::World;
use crate::engine::connection::ConfigEntry;
use crate::engine::role::RoleEntry;
use crate::engine::role::StaticRoleEntry;
use crate::engine::store::Key;

/// How long an operator may be busy with repairs.
const REPAIRS: Duration = Duration::from_secs(900);

impl World {
    /// Damages an entry, restarts the process, and repairs it some time after as an operator does.
    pub(super) async fn damage(
        self: &Rc<Self>,
        org: usize,
        number: usize,
        folder: Folder,
        newer: bool,
        time: Duration,
    ) {
        let (prefix, path, name) = match folder {
            Folder::Config => (Key::CONFIGS, "config", config(org).to_owned()),
            Folder::Role => (Key::ROLES, "roles", role(org, number)),
            Folder::StaticRole => (Key::STATIC_ROLES, "static-roles", role(org, number)),
        };
        self.give_up_what_only_it_names(folder, &name);
        let key = format!("{prefix}{name}");
        if !self.durable.damage(&key, newer) {
            return;
        }
        // What goes through this config may fail until it is repaired; nothing else may.
        self.orgs[org].trouble(time + REPAIRS, Duration::ZERO);
        if folder == Folder::Config {
            self.orgs[org].is_broken.set(true);
        }
        self.crash(false);
        tokio::time::sleep(time).await;
        for _ in 0..10 {
            if !self.durable.is_damaged(&key) {
                break;
            }
            self.delete(org, path, &name, true).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        match folder {
            Folder::Config => drop(self.write_config(org, RootToken::New, true, None).await),
            Folder::Role => {
                let written = Operation::WriteRole {
                    org,
                    role: number,
                    policy: None,
                    ttl: 120,
                    max_ttl: 600,
                    config: None,
                };
                Box::pin(self.perform(written)).await;
            }
            Folder::StaticRole => {}
        }
        self.repair().await;
    }

    /// Somebody takes rights from the custom roles of these names in Astra, and gives others.
    pub(super) fn edit_custom_roles(&self, name: &str) {
        let of = |own: &str| own == name;
        let roles = self.stored::<RoleEntry>(Key::ROLES).into_iter();
        let roles = roles.filter(|(own, _)| of(own));
        let static_roles = self
            .stored::<StaticRoleEntry>(Key::STATIC_ROLES)
            .into_iter();
        let static_roles = static_roles.filter(|(own, _)| of(own));
        let claims = roles.filter_map(|(_, entry)| entry.granted.policy);
        let claims = claims.chain(static_roles.filter_map(|(_, entry)| entry.granted.policy));
        let claimed: Vec<String> = claims.map(|claim| claim.role_id).collect();
        for org in &self.orgs {
            let there = self.astra.roles(Some(&org.id)).unwrap_or_default();
            for mut role in there.into_iter().filter(|own| claimed.contains(&own.id)) {
                role.policy.actions = vec!["db-keyspace-describe".to_owned()];
                if self.astra.edit_role(&role.id, role.policy).is_err() {
                    self.violation(format!("the custom role {} cannot be changed", role.name));
                }
            }
        }
    }

    /// An operator is told that these stay: what is only in an entry that cannot be read is not deleted.
    fn give_up_what_only_it_names(&self, folder: Folder, name: &str) {
        let mut given_up = self.given_up.borrow_mut();
        let of = |own: &str| own == name;
        match folder {
            Folder::Config => {
                let configs = self.stored::<ConfigEntry>(Key::CONFIGS);
                for (_, entry) in configs.into_iter().filter(|(own, _)| of(own)) {
                    given_up.insert(entry.token_client_id().to_owned());
                    given_up.extend(entry.pending_delete);
                }
            }
            Folder::Role => {
                let roles = self.stored::<RoleEntry>(Key::ROLES);
                for (_, entry) in roles.into_iter().filter(|(own, _)| of(own)) {
                    let policy = entry.granted.policy;
                    given_up.extend(policy.map(|policy| policy.role_id));
                }
            }
            Folder::StaticRole => {
                let roles = self.stored::<StaticRoleEntry>(Key::STATIC_ROLES);
                for (_, entry) in roles.into_iter().filter(|(own, _)| of(own)) {
                    given_up.extend(entry.client_ids().map(str::to_owned));
                    let policy = entry.granted.policy.as_ref();
                    given_up.extend(policy.map(|policy| policy.role_id.clone()));
                }
            }
        }
    }
}
