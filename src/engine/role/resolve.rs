//! From the names that an operator writes to the ids that Astra knows.

use super::astra_role::AstraRole;
use crate::astra::Role;
use crate::engine::error::Error;
use crate::vault::Error as VaultError;

/// How many names a miss suggests.
const SUGGESTIONS: usize = 3;

/// Resolves `given` names or ids against the organization's `roles`.
///
/// A miss names the nearest names; a name that several roles bear is refused with their ids; a role
/// whose tokens could make tokens or roles of their own is refused unless `allow_token_admin`.
pub fn resolve(
    given: &[String],
    roles: &[Role],
    allow_token_admin: bool,
) -> Result<Vec<AstraRole>, Error> {
    let mut resolved = Vec::new();
    for text in given {
        let role = find(text, roles)?;
        if role.grants_token_admin() && !allow_token_admin {
            return Err(VaultError::BadRequest(format!(
                "astra_roles: \"{text}\" may create tokens, roles, users or passwords, so its tokens could outlive their lease by making \
                 others: choose a role without org-token-write, org-role-write, org-user-write, org-external-auth-write and org-db-passwordreset, or set allow_token_admin=true on the config"
            )).into());
        }
        resolved.push(AstraRole {
            given: text.clone(),
            id: role.id.clone(),
        });
    }
    resolved.sort();
    resolved.dedup();
    Ok(resolved)
}

fn find<'a>(text: &str, roles: &'a [Role]) -> Result<&'a Role, Error> {
    if let Some(role) = roles.iter().find(|role| role.id.eq_ignore_ascii_case(text)) {
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
            Err(VaultError::BadRequest(format!(
                "astra_roles: the organization has no role \"{text}\"; the nearest names are {}",
                near.join(", ")
            ))
            .into())
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|role| role.id.as_str()).collect();
            Err(VaultError::BadRequest(format!(
                "astra_roles: \"{text}\" is the name of {} roles; use an id instead: {}",
                several.len(),
                ids.join(", ")
            ))
            .into())
        }
    }
}

/// The `names` most like `text`, nearest first.
pub fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
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
