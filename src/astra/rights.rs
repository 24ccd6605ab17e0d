//! What a policy allows that a token lacks: Astra lets no token grant more than its own rights.

use std::collections::BTreeSet;

use super::action;
use super::role::Policy;

/// Actions that are allowed to one and not to another, and the resources on which.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lacking {
    /// Sorted, each once.
    pub actions: BTreeSet<String>,
    /// Sorted, each once.
    pub resources: BTreeSet<String>,
}

impl Lacking {
    /// What `wanted` allows in the organization `org_id` and none of the policies `own` does.
    ///
    /// How the service compares rights is not documented.  Here each action on each resource has to be
    /// allowed by one of the policies, and a resource name covers its own level only
    /// (docs/internals/astra-api.md, "Roles").
    pub fn of(wanted: &Policy, own: &[&Policy], org_id: &str) -> Self {
        let mut lacking = Self::default();
        for resource in wanted.resources_in(org_id) {
            let covering = own.iter().filter(|own| {
                let mut patterns = own.resources_in(org_id).into_iter();
                patterns.any(|pattern| covers(&pattern, &resource))
            });
            let covering: Vec<&&Policy> = covering.collect();
            let is_lacking = |action: &&String| !covering.iter().any(|own| own.allows(action));
            for action in wanted.actions.iter().filter(is_lacking) {
                lacking.actions.insert(action.clone());
                lacking.resources.insert(resource.clone());
            }
        }
        lacking
    }

    /// Whether nothing is lacking.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Adds what `other` lacks.
    pub fn extend(&mut self, other: Self) {
        self.actions.extend(other.actions);
        self.resources.extend(other.resources);
    }
}

impl Policy {
    /// Whether it allows something in a database: every such action is called `db-…`.
    pub fn allows_data(&self) -> bool {
        let is_of_data =
            |action: &String| action.starts_with("db-") || action::covers(action, "db-cql");
        self.actions.iter().any(is_of_data)
    }

    /// Whether one of its resources is in the database `id`, at whatever level.
    pub fn names_database(&self, id: &str) -> bool {
        self.names(&[("db", id)])
    }

    /// Whether one of its resources is in `keyspace` of the database `id`, at whatever level.
    pub fn names_keyspace(&self, id: &str, keyspace: &str) -> bool {
        self.names(&[("db", id), ("keyspace", keyspace)])
    }

    /// Whether a resource has these levels below the organization.
    fn names(&self, levels: &[(&str, &str)]) -> bool {
        self.resources.iter().any(|resource| {
            let mut parts = resource.split(':').skip(4);
            levels.iter().all(|(kind, id)| {
                parts.next() == Some(*kind)
                    && parts
                        .next()
                        .is_some_and(|part| part == "*" || part.eq_ignore_ascii_case(id))
            })
        })
    }
}

/// Whether the resource name `pattern` covers `resource`: level by level, `*` covers one part.
fn covers(pattern: &str, resource: &str) -> bool {
    let (pattern, resource) = (pattern.split(':'), resource.split(':'));
    pattern.clone().count() == resource.clone().count()
        && pattern
            .zip(resource)
            .all(|(own, other)| own == "*" || own.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::Lacking;
    use crate::astra::Policy;

    fn policy(actions: &[&str], resources: &[&str]) -> Policy {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Policy {
            actions: texts(actions),
            resources: texts(resources),
            ..Policy::default()
        }
    }

    const ALL: &str = "drn:astra:org:__ORG_ID__:db:*";
    const ONE: &str = "drn:astra:org:o:db:d";

    fn lacking(wanted: &Policy, own: &[&Policy]) -> (Vec<String>, Vec<String>) {
        let lacking = Lacking::of(wanted, own, "o");
        assert_eq!(lacking.is_empty(), lacking.resources.is_empty());
        (
            lacking.actions.into_iter().collect(),
            lacking.resources.into_iter().collect(),
        )
    }

    #[test]
    fn each_action_on_each_resource_is_compared() {
        let own = policy(&["db-cql", "org-token-read"], &[ALL, "drn:astra:org:o"]);
        let nothing = (Vec::new(), Vec::new());
        assert_eq!(lacking(&policy(&["db-cql"], &[ONE, ALL]), &[&own]), nothing);
        let (actions, resources) = lacking(&policy(&["db-rest", "db-cql"], &[ONE]), &[&own]);
        assert_eq!(
            (actions, resources),
            (vec!["db-rest".to_owned()], vec![ONE.to_owned()])
        );
        // Another policy of the same token may add it; a star is covered by a star only.
        let more = policy(&["db-*"], &[ONE]);
        assert_eq!(
            lacking(&policy(&["db-rest", "db-cql"], &[ONE]), &[&own, &more]),
            nothing
        );
        let (_, resources) = lacking(&policy(&["db-rest"], &[ONE, ALL]), &[&own, &more]);
        assert_eq!(resources, ["drn:astra:org:o:db:*"]);
        // No level implies the next.
        let table = "drn:astra:org:o:db:d:keyspace:k:table:t";
        let (_, resources) = lacking(&policy(&["db-cql"], &[table]), &[&own]);
        assert_eq!(resources, [table]);
        assert_eq!(lacking(&policy(&["db-cql"], &[ONE]), &[]).0, ["db-cql"]);
    }

    #[test]
    fn a_database_and_its_keyspaces_are_found_in_resources() {
        let keyspace = policy(&["db-cql"], &["drn:astra:org:o:db:D1:keyspace:app:table:*"]);
        assert!(keyspace.names_database("d1") && keyspace.names_keyspace("d1", "app"));
        assert!(!keyspace.names_database("d2") && !keyspace.names_keyspace("d1", "other"));
        let all = policy(
            &["db-cql"],
            &["drn:astra:org:o:db:*", "drn:astra:org:o:db:d1"],
        );
        assert!(all.names_database("d2") && !all.names_keyspace("d2", "app"));
        assert!(!policy(&["db-cql"], &["drn:astra:org:o"]).names_database("d1"));
    }

    #[test]
    fn rights_on_data_are_told_from_those_on_the_organization() {
        for (actions, expected) in [
            (&["org-token-read", "org-role-write"][..], false),
            (&["db-cql"], true),
            (&["*"], true),
            (&["org-*"], false),
        ] {
            assert_eq!(policy(actions, &[]).allows_data(), expected, "{actions:?}");
        }
    }
}
