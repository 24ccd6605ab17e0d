//! What of the archived engine is still to be taken over, or to be removed, from storage alone.

use super::old_role;
use super::old_role::StoredRole;
use super::report::StoredTokens;
use crate::engine::Engine;
use crate::engine::archived_engine::Folder;
use crate::engine::archived_engine::OldToken;
use crate::engine::archived_engine::Record;
use crate::engine::archived_engine::Unreadable;
use crate::engine::error::Error;

/// How much is left.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Remaining {
    /// Old entries of each kind.
    pub(super) configs: usize,
    pub(super) roles: usize,
    pub(super) tokens: usize,
    /// Configs and roles that are neither imported nor left out.
    pub(super) open_configs: usize,
    pub(super) open_roles: usize,
    /// Stored tokens that may live.
    pub(super) open_tokens: usize,
}

impl Remaining {
    /// What is left in view of `record`.
    pub(super) async fn count(engine: &Engine, record: &Record) -> Result<Self, Error> {
        let entries = &engine.archived.entries;
        let configs = entries.keys(Folder::Configs).await?;
        let is_open = |key: &&String| {
            let org_key = key.strip_prefix(Folder::Configs.prefix()).unwrap_or(key);
            !record.configs.contains_key(org_key) && !record.left_out.contains(org_key)
        };
        let open_configs = configs.iter().filter(is_open).count();
        let stored = entries.roles().await?;
        let roles = stored.len();
        let sorted = old_role::sort(stored);
        let is_open = |(id, role): &(&String, &StoredRole)| {
            !matches!(role, StoredRole::Nameless)
                && !record.roles.contains_key(*id)
                && !record.left_out.contains(*id)
        };
        let open_roles = sorted.iter().filter(is_open).count();
        let tokens = entries.tokens().await?;
        Ok(Self {
            configs: configs.len(),
            roles,
            tokens: tokens.len(),
            open_configs,
            open_roles,
            open_tokens: live(&tokens),
        })
    }

    /// Whether there is any old entry.
    pub(super) fn is_empty(&self) -> bool {
        self.configs + self.roles + self.tokens == 0
    }

    /// Whether something is neither imported nor left out.
    pub(super) fn is_open(&self) -> bool {
        self.open_configs + self.open_roles > 0
    }
}

/// How many of the stored tokens may live: all but those that Astra refused to make.
fn live(tokens: &StoredTokens) -> usize {
    let is_empty = |(_, read): &&(String, Result<OldToken, Unreadable>)| {
        let token = read.as_ref().ok();
        token.is_some_and(|token| token.client_id.is_empty())
    };
    tokens.iter().filter(|stored| !is_empty(stored)).count()
}
