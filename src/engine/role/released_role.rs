//! A custom Astra role that a changed or deleted role gives up.

use std::sync::Arc;

use super::PolicyOwner;
use super::PolicyRole;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;

/// A custom role that is noted to go.
pub struct ReleasedCustomRole<'a> {
    connection: Arc<Connection>,
    claimant: PolicyOwner<'a>,
    custom: &'a PolicyRole,
}

impl<'a> ReleasedCustomRole<'a> {
    /// Notes durably, before it is so in storage, that `claimant` gives up `custom` in the
    /// organization of `config`; `None` where that config is gone.
    pub async fn note(
        engine: &Engine,
        config: &str,
        claimant: PolicyOwner<'a>,
        custom: &'a PolicyRole,
    ) -> Result<Option<Self>, Error> {
        let Some(connection) = engine.configs.find(config).await? else {
            return Ok(None);
        };
        engine
            .custom_roles
            .note_removal(&connection, claimant)
            .await?;
        Ok(Some(Self {
            connection,
            claimant,
            custom,
        }))
    }

    /// Deletes it; warns when that failed, and of leased tokens that hold it.
    pub async fn remove(self, engine: &Engine, deadline: Deadline) -> Vec<String> {
        let Self {
            connection,
            claimant,
            custom,
        } = self;
        let mut warnings = Vec::new();
        if let PolicyOwner::Role(_) = claimant {
            let role_id = custom.role_id.clone();
            let holds = move |token: &TokenEntry| token.roles.contains(&role_id).then_some(());
            let holders = connection.client.tokens(holds, deadline).await;
            if let Ok(holders @ 1..) = holders.map(|holders| holders.len()) {
                warnings.push(format!(
                    "live tokens that hold the custom Astra role \"{}\" ({holders}) lose its rights with it; their leases stay and \
                     are still revoked",
                    claimant.custom_role(&connection)
                ));
            }
        }
        let left = engine
            .custom_roles
            .remove(&connection, claimant, custom, deadline)
            .await;
        warnings.extend(left);
        warnings
    }
}

/// What to tell when the config of a deleted role that has `custom` is gone.
pub fn unreachable_role_warning(config: &str, custom: &PolicyRole) -> String {
    format!(
        "config \"{config}\" does not exist, so the custom Astra role with id {} stays in its organization: delete it in Astra",
        custom.role_id
    )
}
