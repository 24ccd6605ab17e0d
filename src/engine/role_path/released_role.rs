//! A custom Astra role that a changed or deleted role gives up.

use std::sync::Arc;

use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::role::Granted;
use crate::engine::role::PolicyOwner;
use crate::engine::role::PolicyRole;
use crate::engine::role::custom_role::Removal;
use crate::engine::role::custom_role::Scope;

/// A custom role that is noted to go.
pub(crate) struct ReleasedCustomRole<'a> {
    /// The config.
    config: String,
    /// Its connection; `None` where the config is gone.
    connection: Option<Arc<Connection>>,
    /// The organization that it is in; empty where that is not known, so that it is not noted.
    org_id: String,
    owner: PolicyOwner<'a>,
    custom: &'a PolicyRole,
}

impl<'a> ReleasedCustomRole<'a> {
    /// Notes durably, before it is so in storage, that `owner` gives up the custom role of `stored` in the
    /// organization of `config` for `next`; `None` where it does not.
    pub(crate) async fn note(
        engine: &Engine,
        config: &str,
        owner: PolicyOwner<'a>,
        stored: &'a Granted,
        next: Option<&Granted>,
    ) -> Result<Option<Self>, Error> {
        let Some(custom) = stored.released_by(next) else {
            return Ok(None);
        };
        let connection = engine.configs.find(config).await?;
        let of_config = connection
            .as_ref()
            .and_then(|found| found.entry.org_id.as_ref());
        let org_id = match (custom.org_id.as_str(), of_config) {
            ("", Some(org_id)) => org_id.clone(),
            (org_id, _) => org_id.to_owned(),
        };
        let released = Self {
            config: config.to_owned(),
            connection,
            org_id,
            owner,
            custom,
        };
        if released.is_noted() {
            let notes = &engine.custom_roles;
            notes
                .note_release(config, &released.org_id, owner, custom)
                .await?;
        }
        Ok(Some(released))
    }

    /// Its id.
    pub(crate) fn role_id(&self) -> &str {
        &self.custom.role_id
    }

    /// Whether a note names it, so that a tick deletes it.
    pub(crate) fn is_noted(&self) -> bool {
        self.connection.is_some() || !self.org_id.is_empty()
    }

    /// Deletes it; warns when that failed, and of leased tokens that hold it.
    pub(crate) async fn remove(self, engine: &Engine, deadline: Deadline) -> Vec<String> {
        let Some(connection) = &self.connection else {
            return vec![self.config_is_gone()];
        };
        let id = &self.custom.role_id;
        let name = self.name(connection);
        if let Some(warning) = self.out_of_reach(connection, deadline).await {
            return vec![warning];
        }
        let holders = self.holders(connection, deadline).await;
        let scope = self.scope(connection);
        let removed = engine
            .custom_roles
            .finish_release(&scope, id, deadline)
            .await;
        let (loses, warning) = match removed {
            Ok(Removal::Gone) => (true, None),
            Ok(Removal::Foreign) => (
                false,
                Some(format!(
                    "the custom Astra role \"{name}\" ({id}) is left alone: it was written since \
                     by another cluster with this mount's storage, or after the snapshot that this \
                     storage is restored from. If nothing uses it, delete it in Astra"
                )),
            ),
            Ok(Removal::Emptied(error)) => {
                connection.health.failed(&error);
                (
                    true,
                    Some(format!(
                        "the custom Astra role \"{name}\" ({id}) could not be deleted yet: \
                         {error}. It grants nothing any more, and the engine tries again about \
                         once a minute; the root token needs org-role-delete"
                    )),
                )
            }
            Ok(Removal::Kept(error)) => {
                connection.health.failed(&error);
                (false, Some(self.kept(connection, &error.to_string())))
            }
            Err(error) => (false, Some(self.kept(connection, &error.to_string()))),
        };
        let of_tokens = (holders > 0).then(|| match loses {
            true => format!(
                "live tokens that hold the custom Astra role \"{name}\" ({holders}) lose its \
                 rights with it; their leases stay and are still revoked"
            ),
            false => format!(
                "live tokens that hold the custom Astra role \"{name}\" ({holders}) keep its \
                 rights for now; their leases stay and are still revoked"
            ),
        });
        warning.into_iter().chain(of_tokens).collect()
    }

    /// Why it cannot be deleted now: until the config's organization is known, a list that does not show
    /// it could be another's.
    async fn out_of_reach(&self, connection: &Connection, deadline: Deadline) -> Option<String> {
        match connection.client.own_org(deadline).await {
            Ok(own) if is_same_organization(own, &self.org_id) => None,
            Ok(own) => Some(format!(
                "the custom Astra role \"{}\" ({}) stays in organization {}, because config \
                 \"{}\" is now for {own}: delete it there, or give the config a root token of that \
                 organization again",
                self.name(connection),
                self.custom.role_id,
                self.org_id,
                connection.name
            )),
            Err(error) => {
                connection.health.failed(&error);
                Some(self.kept(connection, &error.to_string()))
            }
        }
    }

    /// What to tell where the config is gone.
    fn config_is_gone(&self) -> String {
        let (config, id) = (&self.config, &self.custom.role_id);
        match self.is_noted() {
            true => format!(
                "config \"{config}\" does not exist, so the custom Astra role with id {id} stays in its \
                 organization: a tick deletes it once the config is written again; otherwise delete it in Astra"
            ),
            false => format!(
                "config \"{config}\" does not exist, so the custom Astra role with id {id} stays in its \
                 organization: delete it in Astra"
            ),
        }
    }

    fn kept(&self, connection: &Connection, error: &str) -> String {
        format!(
            "the custom Astra role \"{}\" ({}) could not be deleted yet and keeps its rights: \
             {error}. The engine tries again about once a minute; the root token needs \
             org-role-delete",
            self.name(connection),
            self.custom.role_id
        )
    }

    /// How many tokens hold it, where leases of several may; zero where that is not known.
    async fn holders(&self, connection: &Connection, deadline: Deadline) -> usize {
        if let PolicyOwner::StaticRole(_) = self.owner {
            return 0;
        }
        let role_id = self.custom.role_id.clone();
        let holds = move |token: &TokenEntry| token.roles.contains(&role_id).then_some(());
        let holders = connection.client.tokens(holds, deadline).await;
        holders.map_or(0, |holders| holders.len())
    }

    fn name(&self, connection: &Connection) -> String {
        match self.custom.name.as_str() {
            "" => self.owner.custom_role(connection),
            name => name.to_owned(),
        }
    }

    fn scope<'s>(&'s self, connection: &'s Connection) -> Scope<'s> {
        Scope {
            connection,
            org_id: &self.org_id,
            owner: self.owner,
        }
    }
}
