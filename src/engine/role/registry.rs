//! All roles of a mount.

use std::sync::Arc;

use super::RoleEntry;
use crate::engine::error::Error;
use crate::engine::host::Host;
use crate::engine::registry::EntryKind;
use crate::engine::registry::OpenError;
use crate::engine::registry::Registry;
use crate::engine::store::Key;
use crate::engine::store::Store;

/// The roles of one mount.
pub(crate) type Roles = Registry<RoleKind>;

/// Roles are used as they are stored.
pub(crate) struct RoleKind;

impl Roles {
    /// The roles in `store`.
    pub(crate) fn new(store: Store, host: Arc<Host>) -> Self {
        Self::with_kind(RoleKind, store, host)
    }

    /// The names of the roles that use, or whose unusable entries may use, the config called `config`.
    pub(crate) async fn of_config(&self, config: &str) -> Result<Vec<String>, Error> {
        self.names_where(|role| role.config == config).await
    }
}

impl EntryKind for RoleKind {
    type Stored = RoleEntry;
    type Value = RoleEntry;

    const NOUN: &'static str = "role";
    const FOLDER: &'static str = Key::ROLES;

    fn key(name: &str) -> Key {
        Key::role(name)
    }

    async fn open(&self, _name: &str, entry: RoleEntry) -> Result<RoleEntry, OpenError> {
        Ok(entry)
    }
}
