//! Organizations, roles, tokens and databases: what a snapshot keeps.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::state::collections::Collections;
use crate::state::database::Database;
use crate::state::org::Org;
use crate::state::role::RoleTable;
use crate::state::token::Ledger;

/// What a snapshot keeps.
#[derive(Clone, Default)]
pub(crate) struct Records {
    pub(crate) orgs: Vec<Org>,
    pub(crate) roles: RoleTable,
    pub(crate) ledger: Ledger,
    pub(crate) databases: Vec<Database>,
    pub(crate) collections: Collections,
    /// Data-plane sessions by client id and database, with the time they were opened.
    pub(crate) sessions: HashMap<(Arc<str>, String), OffsetDateTime>,
}

impl Records {
    pub(crate) fn org(&self, id: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.id == id)
    }

    pub(crate) fn org_mut(&mut self, id: &str) -> Option<&mut Org> {
        self.orgs.iter_mut().find(|org| org.id == id)
    }

    pub(crate) fn database(&self, id: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.id == id)
    }

    /// The names of all keyspaces, each once.
    pub(crate) fn keyspaces(&self) -> Vec<String> {
        let names = self.databases.iter().flat_map(|own| own.keyspaces.iter());
        let unique: BTreeSet<&String> = names.collect();
        unique.into_iter().cloned().collect()
    }
}
