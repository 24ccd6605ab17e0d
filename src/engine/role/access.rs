//! `access`: the policy for one database, or one keyspace of it, with the actions of a built-in role.

use serde::Deserialize;
use serde::Serialize;

use super::access_error::AccessError;
use super::policy::Policy;
use crate::astra;
use crate::astra::Role;
use crate::engine::error::Error;

/// What the actions on databases begin with.  Others are about the organization and its other
/// databases, which a token for one database has no business with.
const DATABASE_ACTION: &str = "db-";

/// Actions on a database that reach beyond one keyspace of it.
const BEYOND_A_KEYSPACE: [&str; 3] = ["db-all-keyspace-", "db-manage-", "db-data-import"];

/// Keyspaces of every database that CQL drivers read when they connect.  The portal puts their tables
/// into the roles that it makes for one database (docs/astra-api.md).
const SYSTEM_KEYSPACES: [&str; 3] = ["system", "system_schema", "system_virtual_schema"];

/// What tokens of a role may do in its database.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    /// What Astra's Read Only Service Account may do there.
    ReadOnly,
    /// What Astra's Read/Write Service Account may do there.
    ReadWrite,
    /// What Astra's Administrator Service Account may do there.
    Admin,
}

impl Access {
    const ALL: [Self; 3] = [Self::ReadOnly, Self::ReadWrite, Self::Admin];

    /// Reads what an operator wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|access| access.name() == text);
        found.ok_or_else(|| AccessError::Unknown(text.to_owned()).into())
    }

    /// As operators write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
            Self::Admin => "admin",
        }
    }

    /// The built-in role whose actions it has: its name in the API.
    fn built_in(self) -> &'static str {
        match self {
            Self::ReadOnly => "RO Svc Acct",
            Self::ReadWrite => "R/W Svc Acct",
            Self::Admin => "Admin Svc Acct",
        }
    }

    /// The policy for the database with id `database` in the organization `org_id`, whose roles are
    /// `roles`; with an empty `keyspace` for all keyspaces.
    pub(crate) fn policy(
        self,
        roles: &[Role],
        org_id: &str,
        database: &str,
        keyspace: &str,
    ) -> Result<Policy, Error> {
        let keyspace = match keyspace {
            "" => "*",
            given => given,
        };
        let mut actions: Vec<String> = self
            .listed(roles)?
            .actions
            .iter()
            .filter(|action| action.starts_with(DATABASE_ACTION))
            .filter(|action| keyspace == "*" || !reaches_beyond(action))
            .cloned()
            .collect();
        actions.sort();
        actions.dedup();
        if actions.is_empty() {
            return Err(AccessError::NoActions {
                access: self.name(),
                built_in: self.built_in(),
            }
            .into());
        }
        Ok(Policy {
            resources: resources(org_id, &database.to_ascii_lowercase(), keyspace),
            actions,
            description: String::new(),
        })
    }

    /// The policy of the built-in role, as Astra lists it.
    fn listed(self, roles: &[Role]) -> Result<&astra::Policy, Error> {
        let missing = || AccessError::NoBuiltIn {
            access: self.name(),
            built_in: self.built_in(),
        };
        let named = roles.iter().filter(|role| role.name == self.built_in());
        // A custom role may have the name too, where an organization has no built-in role of it.
        let mut built_in = named
            .filter_map(|role| role.policy.as_ref())
            .filter(|policy| policy.is_of_any_organization());
        built_in.next().ok_or_else(|| missing().into())
    }
}

fn reaches_beyond(action: &str) -> bool {
    let mut beyond = BEYOND_A_KEYSPACE.iter();
    // A pattern such as db-* reaches everywhere.
    action.contains('*') || beyond.any(|prefix| action.starts_with(prefix))
}

/// A resource covers its own level only, so each level is named.  The organization's is not: an
/// action on it would reach all databases.
fn resources(org_id: &str, database: &str, keyspace: &str) -> Vec<String> {
    let database = format!("drn:astra:org:{org_id}:db:{database}");
    let tables = SYSTEM_KEYSPACES
        .iter()
        .chain([&keyspace])
        .map(|keyspace| format!("{database}:keyspace:{keyspace}:table:*"));
    let mut resources: Vec<String> = tables.collect();
    resources.push(format!("{database}:keyspace:{keyspace}"));
    resources.push(database);
    resources.sort();
    resources
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn role(name: &str, organization: &str, actions: &[&str]) -> Role {
        Role {
            id: "1".to_owned(),
            name: name.to_owned(),
            policy: Some(astra::Policy {
                actions: actions.iter().map(|&action| action.to_owned()).collect(),
                description: String::new(),
                effect: "allow".to_owned(),
                resources: vec![format!("drn:astra:org:{organization}:db:*")],
            }),
        }
    }

    const ADMIN: &[&str] = &[
        "org-user-write",
        "accesslist-read",
        "db-all-keyspace-create",
        "db-manage-region",
        "db-data-import",
        "db-keyspace-drop",
        "db-table-select",
        "db-cql",
    ];

    #[test]
    fn a_keyspace_is_all_that_can_be_reached() {
        let roles = [
            role("Admin Svc Acct", "o", &["db-custom"]),
            role("Admin Svc Acct", "__ORG_ID__", ADMIN),
        ];
        let policy = Access::Admin.policy(&roles, "o", "D1", "app").unwrap();
        assert_eq!(
            policy.actions,
            ["db-cql", "db-keyspace-drop", "db-table-select"]
        );
        assert_eq!(
            policy.resources,
            [
                "drn:astra:org:o:db:d1",
                "drn:astra:org:o:db:d1:keyspace:app",
                "drn:astra:org:o:db:d1:keyspace:app:table:*",
                "drn:astra:org:o:db:d1:keyspace:system:table:*",
                "drn:astra:org:o:db:d1:keyspace:system_schema:table:*",
                "drn:astra:org:o:db:d1:keyspace:system_virtual_schema:table:*",
            ]
        );
    }

    #[test]
    fn without_a_keyspace_the_whole_database_can_be_reached() {
        let roles = [role("Admin Svc Acct", "__ORG_ID__", ADMIN)];
        let policy = Access::Admin.policy(&roles, "o", "D1", "").unwrap();
        assert_eq!(
            policy.actions,
            [
                "db-all-keyspace-create",
                "db-cql",
                "db-data-import",
                "db-keyspace-drop",
                "db-manage-region",
                "db-table-select"
            ]
        );
        let own = "drn:astra:org:o:db:d1:keyspace:*";
        assert!(policy.resources.iter().any(|one| one == own));
        assert!(policy.resources.contains(&format!("{own}:table:*")));
    }

    #[test]
    fn what_astra_does_not_list_is_not_guessed() {
        let refusal = |roles: &[Role]| {
            let refused = Access::ReadOnly.policy(roles, "o", "D1", "");
            refused.unwrap_err().to_string()
        };
        let none = "access: the organization lists no built-in role \"RO Svc Acct\", whose actions read-only stands for: use astra_roles or policy instead";
        assert_eq!(refusal(&[]), none);
        assert_eq!(refusal(&[role("RO Svc Acct", "o", &["db-cql"])]), none);
        assert_eq!(
            refusal(&[role("RO Svc Acct", "__ORG_ID__", &["org-read"])]),
            "access: the built-in role \"RO Svc Acct\", whose actions read-only stands for, lists none on databases: use astra_roles or policy instead"
        );
    }
}
