//! All static roles of a mount.

use std::sync::Arc;

use super::StaticRoleEntry;
use crate::engine::error::Error;
use crate::engine::host::Host;
use crate::engine::registry::EntryKind;
use crate::engine::registry::OpenError;
use crate::engine::registry::Registry;
use crate::engine::store::Key;
use crate::engine::store::Store;

/// The static roles of one mount, and the tokens that deleted ones left.
pub(crate) type StaticRoles = Registry<StaticRoleKind>;

/// Static roles are used as they are stored.
pub(crate) struct StaticRoleKind;

impl StaticRoles {
    /// The static roles in `store`.
    pub(crate) fn new(store: Store, host: Arc<Host>) -> Self {
        Self::with_kind(StaticRoleKind, store, host)
    }

    /// The role called `name`, unless it was deleted.
    pub(crate) async fn find_active(
        &self,
        name: &str,
    ) -> Result<Option<Arc<StaticRoleEntry>>, Error> {
        Ok(self.find(name).await?.filter(|role| role.is_live()))
    }

    /// The names of what needs, or whose unusable entries may need, the config called `config`.
    pub(crate) async fn of_config(&self, config: &str) -> Result<Vec<String>, Error> {
        self.names_where(|role| role.config == config).await
    }
}

impl EntryKind for StaticRoleKind {
    type Stored = StaticRoleEntry;
    type Value = StaticRoleEntry;

    const NOUN: &'static str = "static-role";
    const FOLDER: &'static str = Key::STATIC_ROLES;

    fn key(name: &str) -> Key {
        Key::static_role(name)
    }

    async fn open(
        &self,
        _name: &str,
        entry: StaticRoleEntry,
    ) -> Result<StaticRoleEntry, OpenError> {
        Ok(entry)
    }
}
