//! Which Astra roles of a role can no longer be found under what was written.

use std::time::Duration;

use super::Granted;
use crate::astra::Deadline;
use crate::astra::Role;
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
pub async fn look_up(granted: &Granted, connection: &Connection) -> Option<Unresolved> {
    let roles = connection.client.roles(Deadline::after(PATIENCE)).await;
    roles.ok().map(|roles| compare(granted, &roles))
}

fn compare(granted: &Granted, roles: &[Role]) -> Unresolved {
    let mut unresolved = Unresolved::default();
    let by_id = |id: &str| roles.iter().find(|role| role.id.eq_ignore_ascii_case(id));
    for wanted in &granted.astra_roles {
        let given = &wanted.given;
        let warning = match by_id(&wanted.id) {
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
    if let Some(policy) = &granted.policy
        && by_id(&policy.role_id).is_none()
    {
        unresolved.given.push(policy.role_id.clone());
        unresolved.warnings.push(format!(
            "policy: its custom Astra role ({}) is no longer in the organization: write the role again with its policy to make it anew",
            policy.role_id
        ));
    }
    unresolved
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
                "policy: its custom Astra role (5) is no longer in the organization: write the role again with its policy to make it anew",
            ]
        );
    }
}
