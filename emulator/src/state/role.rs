//! Roles and the table that holds them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// What a role grants; field order as the service writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Free text.
    pub description: String,
    /// Resource names, `drn:astra:org:…`; an empty list grants nothing.
    pub resources: Vec<String>,
    /// Permission names; an open set.
    pub actions: Vec<String>,
    /// Always `allow`.
    pub effect: String,
}

/// A built-in or custom role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// UUID.
    pub id: String,
    /// The organization of a custom role; `None` for a built-in one.
    pub org_id: Option<String>,
    /// Unique in its organization.
    pub name: String,
    /// What it grants.
    pub policy: Policy,
    /// RFC 3339; the year 1 for "never".
    pub last_update_date_time: String,
    /// User or client id of the last editor.
    pub last_update_user_id: String,
}

/// All roles of all organizations, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct RoleTable {
    order: Vec<String>,
    by_id: HashMap<String, Arc<Role>>,
    /// Until when new roles are unknown.
    unknown_until: HashMap<String, OffsetDateTime>,
}

impl RoleTable {
    /// Adds a role or replaces the one of the same id.
    pub(crate) fn put(&mut self, role: Role) {
        if !self.by_id.contains_key(&role.id) {
            self.order.push(role.id.clone());
        }
        self.by_id.insert(role.id.clone(), Arc::new(role));
    }

    /// Requests do not know the role before `time`.
    pub(crate) fn hide_until(&mut self, id: String, time: OffsetDateTime) {
        self.unknown_until.insert(id, time);
    }

    /// Whether requests know the role at `now`.
    pub(crate) fn is_known(&self, id: &str, now: OffsetDateTime) -> bool {
        self.unknown_until.get(id).is_none_or(|until| *until <= now)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<Role>> {
        let role = self.by_id.remove(id)?;
        self.order.retain(|other| other != id);
        Some(role)
    }

    /// The role of that id, if `org` can see it.
    pub(crate) fn get(&self, org: &str, id: &str) -> Option<&Arc<Role>> {
        self.by_id.get(id).filter(|role| visible(role, org))
    }

    /// The role of that id in any organization.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Role>> {
        self.by_id.get(id)
    }

    /// What `org` sees: the built-in roles and its own.
    pub(crate) fn of(&self, org: &str) -> impl Iterator<Item = &Arc<Role>> {
        self.order
            .iter()
            .filter_map(|id| self.by_id.get(id))
            .filter(move |role| visible(role, org))
    }
}

fn visible(role: &Role, org: &str) -> bool {
    role.org_id.as_deref().is_none_or(|own| own == org)
}
