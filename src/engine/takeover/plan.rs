//! What becomes of each config and each role of the archived engine.

use std::sync::Arc;

use crate::astra::Client;
use crate::astra::Role;
use crate::engine::archived_engine::CallerMode;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::Connection;
use crate::engine::role::RoleEntry;

/// What is done with one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// It is stored again.
    Import,
    /// It was taken over before.
    Imported,
    /// What is there already takes its place.
    Adopt,
    /// It is left out.
    Skip,
    /// It cannot be taken over; why, and what to do.
    Problem(String),
}

/// What becomes of a config.
pub(super) struct ConfigPlan {
    /// The key of the old config.
    pub(super) org_key: String,
    /// The name of the config that takes its place; the old key while there is none.
    pub(super) name: String,
    /// Whether the operator gave the name.
    pub(super) is_named: bool,
    pub(super) action: Action,
    pub(super) caller_mode: CallerMode,
    /// The organization, if it is known.
    pub(super) organization: Option<String>,
    /// What is stored for [`Action::Import`].
    pub(super) entry: Option<ConfigEntry>,
    /// The config that is there for [`Action::Imported`] and [`Action::Adopt`].
    pub(super) connection: Option<Arc<Connection>>,
    /// Asks the organization.
    pub(super) client: Option<Client>,
    /// The organization's roles, if they were listed.
    pub(super) roles: Option<Vec<Role>>,
    /// Which of the stored tokens the organization lists, if it was asked.
    pub(super) listed: Option<Vec<String>>,
    /// Whether the config that was imported before is to allow roles that may make tokens.
    pub(super) must_allow_token_admin: bool,
    pub(super) warnings: Vec<String>,
}

/// What becomes of a role.
pub(super) struct RolePlan {
    /// What it is called in reports.
    pub(super) id: String,
    /// The key of its organization's config.
    pub(super) org_key: String,
    /// The name of the role that takes its place; the old name while there is none.
    pub(super) name: String,
    pub(super) action: Action,
    /// The name of the Astra role, if it is known.
    pub(super) astra_role: Option<String>,
    /// What is stored.
    pub(super) entry: Option<RoleEntry>,
    /// Its `ttl` and `max_ttl`, for the report.
    pub(super) seconds: Option<(u64, u64)>,
    pub(super) warnings: Vec<String>,
}

impl Action {
    /// The word for it in reports.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Imported => "imported",
            Self::Adopt => "adopt",
            Self::Skip => "skip",
            Self::Problem(_) => "problem",
        }
    }

    /// Whether the record shows it in the end.
    pub(super) fn is_taken_over(&self) -> bool {
        matches!(self, Self::Import | Self::Imported | Self::Adopt)
    }

    /// Why it cannot be taken over.
    pub(super) fn problem(&self) -> Option<&str> {
        match self {
            Self::Problem(text) => Some(text),
            _ => None,
        }
    }
}

impl ConfigPlan {
    /// Nothing is known yet of what `name` holds.
    pub(super) fn new(org_key: &str, name: &str, action: Action) -> Self {
        Self {
            org_key: org_key.to_owned(),
            name: name.to_owned(),
            is_named: false,
            action,
            caller_mode: CallerMode::default(),
            organization: None,
            entry: None,
            connection: None,
            client: None,
            roles: None,
            listed: None,
            must_allow_token_admin: false,
            warnings: Vec::new(),
        }
    }

    /// It is not taken over because of `cause`.
    pub(super) fn fail(&mut self, cause: impl Into<String>) {
        self.action = Action::Problem(cause.into());
    }

    /// `connection`, which is there, takes its place.
    pub(super) fn adopt(&mut self, connection: Arc<Connection>, action: Action) {
        self.name.clone_from(&connection.name);
        self.organization.clone_from(&connection.entry.org_id);
        self.client = Some(connection.client.clone());
        self.connection = Some(connection);
        self.action = action;
    }
}

impl RolePlan {
    /// Nothing is known yet of what `name` holds.
    pub(super) fn new(id: &str, org_key: &str, name: &str, action: Action) -> Self {
        Self {
            id: id.to_owned(),
            org_key: org_key.to_owned(),
            name: name.to_owned(),
            action,
            astra_role: None,
            entry: None,
            seconds: None,
            warnings: Vec::new(),
        }
    }
}
