//! How the Astra roles of a role differ in Astra from what was written.

use std::time::Duration;

use crate::astra;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;
use crate::engine::role::Granted;
use crate::engine::role::PolicyOwner;
use crate::engine::role::drift::Drift;
use crate::engine::role::drift::drift;

/// How long a read waits for the organization: it must not hang while Astra is down.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a look at the organization's roles showed.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Unresolved {
    /// What the operator wrote, as far as it no longer resolves.
    pub given: Vec<String>,
    /// What that means, for each.
    pub warnings: Vec<String>,
    /// Those of the warnings that are about what is gone.
    gone: Vec<String>,
}

/// What a write of the role should warn of: what was looked up at an earlier write and is gone by now.
pub(crate) async fn gone(
    engine: &Engine,
    granted: &Granted,
    connection: &Connection,
) -> Vec<String> {
    let unresolved = look_up(engine, granted, connection).await;
    unresolved.map(|found| found.gone).unwrap_or_default()
}

/// The failure `error` of a mint for `owner`, with the reason if Astra does not know what it grants any
/// more: Astra names an id only.
pub(crate) async fn explain(
    error: Error,
    engine: &Engine,
    owner: PolicyOwner<'_>,
    granted: &Granted,
    connection: &Connection,
) -> Error {
    let is_refusal = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<astra::Error>())
        .is_some_and(astra::Error::is_refusal);
    if !is_refusal {
        return error;
    }
    let Some(gone) = gone(engine, granted, connection).await.into_iter().next() else {
        return error;
    };
    let source = error;
    let explained = match owner {
        PolicyOwner::Role(name) => AstraRoleGone::Role {
            name: name.to_owned(),
            gone,
            source,
        },
        PolicyOwner::StaticRole(name) => AstraRoleGone::StaticRole {
            name: name.to_owned(),
            gone,
            source,
        },
    };
    explained.into()
}

/// A role or a static role grants what is no longer in the organization.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AstraRoleGone {
    /// A role.
    #[error("role \"{name}\": {gone} ({source})")]
    Role {
        /// Its name.
        name: String,
        /// What is gone.
        gone: String,
        /// What the mint failed with.
        source: Error,
    },
    /// A static role.
    #[error("static role \"{name}\": {gone} ({source})")]
    StaticRole {
        /// Its name.
        name: String,
        /// What is gone.
        gone: String,
        /// What the mint failed with.
        source: Error,
    },
}

impl Classified for AstraRoleGone {
    fn fault(&self) -> Fault {
        Fault::Astra
    }
}

/// Looks the role's Astra roles up; `None` where the organization does not answer soon.
pub(crate) async fn look_up(
    engine: &Engine,
    granted: &Granted,
    connection: &Connection,
) -> Option<Unresolved> {
    let roles = connection.client.roles(Deadline::after(TIMEOUT)).await;
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
        match Role::with_id(roles, &wanted.id) {
            Some(found) if found.name == *given || found.id.eq_ignore_ascii_case(given) => {}
            // Renamed, not gone.
            Some(found) => unresolved.warnings.push(format!(
                "astra_roles: \"{given}\" is now called \"{}\"; credentials still get it, by its \
                 id {}",
                found.name, wanted.id
            )),
            None => {
                unresolved.given.push(given.clone());
                unresolved.gone.push(format!(
                    "astra_roles: \"{given}\" ({}) is no longer in the organization: write the \
                     role again with astra_roles that exist",
                    wanted.id
                ));
            }
        }
    }
    if let Some(policy) = &granted.policy {
        let id = &policy.role_id;
        let field = policy.field();
        match Role::with_id(roles, id).map(|listed| drift(policy, listed)) {
            Some(None) => {}
            Some(Some(Drift::Changed)) => unresolved.warnings.push(format!(
                "{field}: its custom Astra role ({id}) was changed in Astra and does not grant this {field}: it gets it back within \
                 an hour, or at once when the role is written"
            )),
            Some(Some(Drift::Foreign)) => unresolved.warnings.push(format!(
                "{field}: its custom Astra role ({id}) was written since by another cluster with this mount's storage, or after \
                 the snapshot that this storage is restored from, and may grant something else: write the role to make it grant \
                 this {field}"
            )),
            None => {
                unresolved.given.push(id.clone());
                unresolved.gone.push(format!(
                    "{field}: its custom Astra role ({id}) is no longer in the organization: write the role again with its {field} to make it again"
                ));
            }
        }
    }
    unresolved.warnings.extend(unresolved.gone.iter().cloned());
    unresolved
}

/// Warns of Astra roles for which credentials are refused.
fn token_admins(granted: &Granted, roles: &[Role], config: &str) -> Vec<String> {
    let ids = granted.role_ids();
    let listed = ids.iter().filter_map(|id| Role::with_id(roles, id));
    listed
        .filter(|role| role.grants_token_admin())
        .map(|role| {
            format!(
                "the Astra role \"{}\" ({}) may by now create tokens, roles, users or passwords, \
                 so no credentials are minted with it unless config \"{config}\" has \
                 allow_token_admin=true",
                role.name, role.id
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::role::PolicyRole;
    use crate::engine::role::astra_role::AstraRole;

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
        assert_eq!(unresolved.given, ["gone", "5"]);
        assert_eq!(
            unresolved.warnings,
            [
                "astra_roles: \"old\" is now called \"new\"; credentials still get it, by its id 3",
                "astra_roles: \"gone\" (4) is no longer in the organization: write the role again \
                 with astra_roles that exist",
                "policy: its custom Astra role (5) is no longer in the organization: write the \
                 role again with its policy to make it again",
            ]
        );
    }
}
