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
    connection: Arc<Connection>,
    /// The organization that it is in.
    org_id: String,
    owner: PolicyOwner<'a>,
    custom: &'a PolicyRole,
}

impl<'a> ReleasedCustomRole<'a> {
    /// Notes durably, before it is so in storage, that `owner` gives up the custom role of `stored` in the
    /// organization of `config` for `next`; `None` where it does not, or that config is gone.
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
        let Some(connection) = engine.configs.find(config).await? else {
            return Ok(None);
        };
        let org_id = match (custom.org_id.as_str(), &connection.entry.org_id) {
            ("", Some(org_id)) => org_id.clone(),
            (org_id, _) => org_id.to_owned(),
        };
        let released = Self {
            connection,
            org_id,
            owner,
            custom,
        };
        engine
            .custom_roles
            .note_release(&released.scope(), custom)
            .await?;
        Ok(Some(released))
    }

    /// Deletes it; warns when that failed, and of leased tokens that hold it.
    pub(crate) async fn remove(self, engine: &Engine, deadline: Deadline) -> Vec<String> {
        let connection = &self.connection;
        let id = &self.custom.role_id;
        let name = self.name();
        if let Some(warning) = self.out_of_reach(deadline).await {
            return vec![warning];
        }
        let holders = self.holders(deadline).await;
        let scope = self.scope();
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
                (false, Some(self.kept(&error.to_string())))
            }
            Err(error) => (false, Some(self.kept(&error.to_string()))),
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
    async fn out_of_reach(&self, deadline: Deadline) -> Option<String> {
        let connection = &self.connection;
        match connection.client.own_org(deadline).await {
            Ok(own) if is_same_organization(own, &self.org_id) => None,
            Ok(own) => Some(format!(
                "the custom Astra role \"{}\" ({}) stays in organization {}, because config \
                 \"{}\" is now for {own}: delete it there, or give the config a root token of that \
                 organization again",
                self.name(),
                self.custom.role_id,
                self.org_id,
                connection.name
            )),
            Err(error) => {
                connection.health.failed(&error);
                Some(self.kept(&error.to_string()))
            }
        }
    }

    fn kept(&self, error: &str) -> String {
        format!(
            "the custom Astra role \"{}\" ({}) could not be deleted yet and keeps its rights: \
             {error}. The engine tries again about once a minute; the root token needs \
             org-role-delete",
            self.name(),
            self.custom.role_id
        )
    }

    /// How many tokens hold it, where leases of several may; zero where that is not known.
    async fn holders(&self, deadline: Deadline) -> usize {
        if let PolicyOwner::StaticRole(_) = self.owner {
            return 0;
        }
        let role_id = self.custom.role_id.clone();
        let holds = move |token: &TokenEntry| token.roles.contains(&role_id).then_some(());
        let holders = self.connection.client.tokens(holds, deadline).await;
        holders.map_or(0, |holders| holders.len())
    }

    fn name(&self) -> String {
        match self.custom.name.as_str() {
            "" => self.owner.custom_role(&self.connection),
            name => name.to_owned(),
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            connection: &self.connection,
            org_id: &self.org_id,
            owner: self.owner,
        }
    }
}

/// What to tell when the config of a deleted role that has `custom` is gone.
pub(crate) fn unreachable_role_warning(config: &str, custom: &PolicyRole) -> String {
    format!(
        "config \"{config}\" does not exist, so the custom Astra role with id {} stays in its \
         organization: delete it in Astra",
        custom.role_id
    )
}
