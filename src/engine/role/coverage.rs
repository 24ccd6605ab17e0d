//! What a policy lacks to be of use: a warning, since Astra may know more than this engine.

use super::policy::Policy;

/// What the actions on tables begin with.
const TABLE_ACTION: &str = "db-table-";

/// Warns of actions on tables where no resource is a table.
pub(crate) fn no_tables(policy: &Policy) -> Option<String> {
    let action = policy
        .actions
        .iter()
        .find(|action| action.starts_with(TABLE_ACTION))?;
    let has_tables = policy.resources.iter().any(|one| one.contains(":table:"));
    (!has_tables).then(|| {
        format!(
            "policy: it has {action}, but none of its resources is a table, and a resource covers its own level only: add for \
             instance \"{}\"",
            tables_of(policy)
        )
    })
}

/// The tables of what the policy reaches already: of its first keyspace, or else of its first database.
fn tables_of(policy: &Policy) -> String {
    let of = |level: &str| policy.resources.iter().find(|one| one.contains(level));
    match (of(":keyspace:"), of(":db:")) {
        (Some(keyspace), _) => format!("{keyspace}:table:*"),
        (None, Some(database)) => format!("{database}:keyspace:*:table:*"),
        (None, None) => "drn:astra:org:{{org_id}}:db:*:keyspace:*:table:*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_on_tables_need_tables() {
        let told = |resource: &str, action: &str| {
            no_tables(&Policy {
                resources: vec![resource.to_owned()],
                actions: vec!["db-cql".to_owned(), action.to_owned()],
                description: String::new(),
            })
        };
        let tables = |resource: &str| {
            Some(format!(
                "policy: it has db-table-select, but none of its resources is a table, and a resource covers its own level only: add for instance \"{resource}\""
            ))
        };
        let database = "drn:astra:org:o:db:d";
        let keyspace = "drn:astra:org:o:db:d:keyspace:app";
        for (resource, needed) in [
            (keyspace, "drn:astra:org:o:db:d:keyspace:app:table:*"),
            (database, "drn:astra:org:o:db:d:keyspace:*:table:*"),
            (
                "drn:astra:org:o",
                "drn:astra:org:{{org_id}}:db:*:keyspace:*:table:*",
            ),
        ] {
            assert_eq!(told(resource, "db-table-select"), tables(needed));
        }
        assert_eq!(told(keyspace, "db-rest"), None);
        let table = format!("{keyspace}:table:*");
        assert_eq!(told(&table, "db-table-select"), None);
    }
}
