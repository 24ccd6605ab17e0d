//! The roles of the archived engine, each once, whatever versions stored it.

use std::collections::BTreeMap;

use crate::engine::archived_engine::OldRole;
use crate::engine::archived_engine::Unreadable;
use crate::engine::archived_engine::role_id;

/// The roles, by what they are called in reports: [`role_id`], or what follows `role/` in the key of an
/// entry that cannot be read or has no name.
pub(super) type OldRoles = BTreeMap<String, StoredRole>;

/// A role as it is stored.
pub(super) enum StoredRole {
    /// One that can be taken over.
    Named(OldRole),
    /// One without a name, which nothing could use.
    Nameless,
    /// One that makes no sense; why.
    Unusable(String),
}

/// The roles in `stored`, by what follows `role/` in their keys.  Version 2 stored them again beside
/// those of version 1, so its entries win.
pub(super) fn sort(stored: Vec<(String, Result<OldRole, Unreadable>)>) -> OldRoles {
    let mut roles = OldRoles::new();
    let mut of_version_1 = OldRoles::new();
    for (key, read) in stored {
        let role = match read {
            Ok(role) => role,
            Err(unreadable) => {
                roles.insert(key, StoredRole::Unusable(unreadable.to_string()));
                continue;
            }
        };
        let id = role_id(&role.org_id, &role.role_name);
        let is_version_2 = key == id;
        let is_version_1 = key == format!("{}-{}", role.org_id, role.role_name);
        if role.role_name.is_empty() {
            roles.insert(key, StoredRole::Nameless);
        } else if is_version_2 {
            roles.insert(id, StoredRole::Named(role));
        } else if is_version_1 {
            of_version_1.insert(id, StoredRole::Named(role));
        } else {
            let cause = format!("the storage entry role/{key} is not the one of the role in it");
            roles.insert(key, StoredRole::Unusable(cause));
        }
    }
    for (id, role) in of_version_1 {
        roles.entry(id).or_insert(role);
    }
    roles
}

impl StoredRole {
    /// The role, if it can be taken over.
    pub(super) fn named(&self) -> Option<&OldRole> {
        match self {
            Self::Named(role) => Some(role),
            Self::Nameless | Self::Unusable(_) => None,
        }
    }
}
