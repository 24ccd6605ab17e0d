//! From the names that an operator writes to the ids that Astra knows.

use super::astra_role::AstraRole;
use super::error::RoleError;
use crate::astra::Role;

/// How many names a miss suggests.
const SUGGESTIONS: usize = 3;

/// Resolves `given` names or ids against the organization's `roles`.
///
/// What is `known` already keeps its id although the role has another name by now.  A miss names the
/// nearest names; a name that several roles have is refused with their ids; a role
/// whose tokens could make tokens or roles of their own is refused unless `allow_token_admin`.
pub(crate) fn resolve(
    given: &[String],
    known: &[AstraRole],
    roles: &[Role],
    allow_token_admin: bool,
) -> Result<Vec<AstraRole>, RoleError> {
    let mut resolved = Vec::new();
    for text in given {
        let before = known.iter().find(|known| known.given == *text);
        let role = match before.and_then(|known| Role::with_id(roles, &known.id)) {
            Some(role) => role,
            None => find(text, roles)?,
        };
        if role.grants_token_admin() && !allow_token_admin {
            return Err(RoleError::GrantsTokenAdmin(text.clone()));
        }
        resolved.push(AstraRole {
            given: text.clone(),
            id: role.id.clone(),
            is_token_admin: role.grants_token_admin(),
        });
    }
    resolved.sort();
    resolved.dedup();
    Ok(resolved)
}

fn find<'a>(text: &str, roles: &'a [Role]) -> Result<&'a Role, RoleError> {
    if let Some(role) = Role::with_id(roles, text) {
        return Ok(role);
    }
    let named: Vec<&Role> = roles.iter().filter(|role| role.name == text).collect();
    match named.as_slice() {
        [role] => Ok(role),
        [] => {
            let near: Vec<String> = nearest(text, roles.iter().map(|role| role.name.as_str()))
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect();
            Err(RoleError::UnknownAstraRole {
                wanted: text.to_owned(),
                near: near.join(", "),
            })
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|role| role.id.as_str()).collect();
            Err(RoleError::AmbiguousAstraRole {
                wanted: text.to_owned(),
                count: several.len(),
                ids: ids.join(", "),
            })
        }
    }
}

/// The `names` most like `text`, nearest first.
pub(crate) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = text.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| {
            let likeness = strsim::jaro_winkler(&wanted, &name.to_lowercase());
            (likeness, name)
        })
        .collect();
    scored.sort_by(|(left, a), (right, b)| right.total_cmp(left).then(a.cmp(b)));
    scored.dedup_by(|(_, left), (_, right)| left == right);
    scored
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}
