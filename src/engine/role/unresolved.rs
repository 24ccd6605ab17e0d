//! How the Astra roles of a role differ in Astra from what was written.

use std::time::Duration;

use super::Granted;
use super::drift::Drift;
use super::drift::drift;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::connection::Connection;

/// How long a read waits for the organization: it must not hang while Astra is down.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a look at the organization's roles showed.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Unresolved {
    /// What the operator wrote, as far as it no longer resolves.
    pub given: Vec<String>,
    /// What that means, for each.
    pub warnings: Vec<String>,
}

/// Looks the role's Astra roles up; `None` where the organization does not answer soon.
pub async fn look_up(
    engine: &Engine,
    granted: &Granted,
    connection: &Connection,
) -> Option<Unresolved> {
    let roles = connection.client.roles(Deadline::after(PATIENCE)).await;
    let roles = roles.ok()?;
    engine.token_admins.learn(&connection.name, &roles);
    let mut unresolved = compare(granted, &roles);
    if !connection.entry.allow_token_admin {
        let admins = token_admins(granted, &roles, &connection.name);
        unresolved.warnings.extend(admins);
    }
    Some(unresolved)
}

fn compare(granted: &Granted, roles: &[Role]) -> Unresolved {
    let mut unresolved = Unresolved::default();
    for wanted in &granted.astra_roles {
        let given = &wanted.given;
        let warning = match by_id(roles, &wanted.id) {
            Some(found) if found.name == *given || found.id.eq_ignore_ascii_case(given) => continue,
            Some(found) => format!(
                "astra_roles: \"{given}\" is now called \"{}\"; credentials still get it, by its id {}",
                found.name, wanted.id
            ),
            None => format!(
                "astra_roles: \"{given}\" ({}) is no longer in the organization: write the role again with astra_roles that exist",
                wanted.id
            ),
        };
        unresolved.given.push(given.clone());
        unresolved.warnings.push(warning);
    }
    if let Some(policy) = &granted.policy {
        let id = &policy.role_id;
        match by_id(roles, id).map(|listed| drift(policy, listed)) {
            Some(None) => {}
            Some(Some(Drift::Changed)) => unresolved.warnings.push(format!(
                "policy: its custom Astra role ({id}) was changed in Astra and does not grant this policy: it gets it back within \
                 an hour, or at once when the role is written"
            )),
            Some(Some(Drift::Foreign)) => unresolved.warnings.push(format!(
                "policy: its custom Astra role ({id}) was written since by another cluster with this mount's storage, or after \
                 the snapshot that this storage is restored from, and may grant something else: write the role to make it grant \
                 this policy"
            )),
            None => {
                unresolved.given.push(id.clone());
                unresolved.warnings.push(format!(
                    "policy: its custom Astra role ({id}) is no longer in the organization: write the role again with its policy to make it again"
                ));
            }
        }
    }
    unresolved
}

/// Warns of Astra roles for which credentials are refused.
fn token_admins(granted: &Granted, roles: &[Role], config: &str) -> Vec<String> {
    let ids = granted.role_ids();
    let listed = ids.iter().filter_map(|id| by_id(roles, id));
    listed
        .filter(|role| role.grants_token_admin())
        .map(|role| {
            format!(
                "the Astra role \"{}\" ({}) may by now create tokens, roles, users or passwords, so no credentials are minted with \
                 it unless config \"{config}\" has allow_token_admin=true",
                role.name, role.id
            )
        })
        .collect()
}

fn by_id<'a>(roles: &'a [Role], id: &str) -> Option<&'a Role> {
    roles.iter().find(|role| role.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::super::PolicyRole;
    use super::super::astra_role::AstraRole;
    use super::*;

    fn astra(id: &str, name: &str) -> Role {
        Role {
            id: id.into(),
            name: name.into(),
            policy: None,
        }
    }

    fn given(given: &str, id: &str) -> AstraRole {
        AstraRole {
            given: given.into(),
            id: id.into(),
            is_token_admin: false,
        }
    }

    #[test]
    fn what_is_gone_and_what_is_renamed_is_told_apart() {
        let granted = Granted {
            astra_roles: vec![
                given("R/W", "1"),
                given("2", "2"),
                given("old", "3"),
                given("gone", "4"),
            ],
            policy: Some(PolicyRole {
                role_id: "5".into(),
                ..PolicyRole::default()
            }),
        };
        let unresolved = compare(
            &granted,
            &[astra("1", "R/W"), astra("2", "b"), astra("3", "new")],
        );
        assert_eq!(unresolved.given, ["old", "gone", "5"]);
        assert_eq!(
            unresolved.warnings,
            [
                "astra_roles: \"old\" is now called \"new\"; credentials still get it, by its id 3",
                "astra_roles: \"gone\" (4) is no longer in the organization: write the role again with astra_roles that exist",
                "policy: its custom Astra role (5) is no longer in the organization: write the role again with its policy to make it again",
            ]
        );
    }
}
