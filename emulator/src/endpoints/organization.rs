//! `/v2/currentOrg` and `/v2/organizations/users`.

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::auth::Caller;
use crate::endpoints::call::Call;
use crate::ids;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::org::User;

pub(super) fn current(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    #[derive(Serialize)]
    struct Current<'a> {
        id: &'a str,
    }
    call.well_formed(endpoint)?;
    Ok(Reply::json(200, &Current { id: &caller.org }).into())
}

#[derive(Serialize)]
struct UserRole {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: String,
}

#[derive(Serialize)]
struct Member<'a> {
    #[serde(rename = "UserID")]
    id: &'a str,
    #[serde(rename = "Email")]
    email: &'a str,
    #[serde(rename = "Status")]
    status: &'a str,
    #[serde(rename = "Roles")]
    roles: Vec<UserRole>,
}

#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "OrgID")]
    id: &'a str,
    #[serde(rename = "OrgName")]
    name: &'a str,
    #[serde(rename = "Users")]
    users: Vec<Member<'a>>,
}

pub(super) fn users(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-user-read")?;
    call.well_formed(endpoint)?;
    let records = &call.state.records;
    let Some(org) = records.org(&caller.org) else {
        return Err(call.refuse(404, "organization not found"));
    };
    let users = org
        .users
        .iter()
        .map(|user| Member {
            id: &user.id,
            email: &user.email,
            status: &user.status,
            roles: user
                .roles
                .iter()
                .filter_map(|id| records.roles.get(&org.id, id))
                .map(|role| UserRole {
                    id: role.id.clone(),
                    name: role.name.clone(),
                })
                .collect(),
        })
        .collect();
    let members = Members {
        id: &org.id,
        name: &org.name,
        users,
    };
    Ok(Reply::json(200, &members).into())
}

/// Invites a person, or renews an invitation with other roles.
///
/// The published documents name no ceiling of the roles: with `org-user-write` alone a caller can
/// make an administrator, unless the knob `invite_ceiling` is set.
pub(super) fn invite(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-user-write")?;
    call.well_formed(endpoint)?;
    let body = call.object()?;
    let (email, roles) = invitation(call, &body, caller)?;
    for id in &roles {
        match call.state.records.roles.get(&caller.org, id) {
            None => return Err(call.refuse(404, &format!("role {id} not found"))),
            Some(role) if call.knobs().invite_ceiling && !caller.rights.include(role) => {
                let text = format!("role {id} grants more than the calling token has");
                return Err(call.refuse(403, &text));
            }
            Some(_) => {}
        }
    }
    let id = ids::uuid(&mut call.state.rng);
    let Some(org) = call.state.records.org_mut(&caller.org) else {
        return Err(call.refuse(404, "organization not found"));
    };
    match org.users.iter_mut().find(|user| user.email == email) {
        Some(user) => user.roles = roles,
        None => org.users.push(User {
            id,
            email,
            status: "invited".to_owned(),
            roles,
        }),
    }
    Ok(Handled::done(Reply::empty(200)))
}

fn invitation(
    call: &mut Call<'_>,
    body: &Map<String, Value>,
    caller: &Caller,
) -> Result<(String, Vec<String>), Reply> {
    let unknown = body
        .keys()
        .find(|name| !matches!(name.as_str(), "email" | "orgID" | "roles"));
    if let Some(name) = unknown.filter(|_| call.state.strict()) {
        return Err(call.deviation("unknown_field", &format!("unknown field {name}")));
    }
    let email = match body.get("email") {
        Some(Value::String(email)) if email.contains('@') => email.clone(),
        _ => return Err(call.deviation("email", "email is required and is an address")),
    };
    match body.get("orgID") {
        Some(Value::String(id)) if *id == caller.org => {}
        Some(Value::String(_)) => {
            return Err(call.refuse(403, "the token does not reach this organization"));
        }
        _ => return Err(call.deviation("org_id", "orgID is required and is a string")),
    }
    let roles = match body.get("roles") {
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => return Err(call.deviation("roles", "roles is required and is not empty")),
    };
    let mut ids = Vec::with_capacity(roles.len());
    for role in roles {
        match role {
            Value::String(id) if ids::is_uuid(id) => ids.push(id.clone()),
            _ => return Err(call.deviation("roles", "a role is not a UUID")),
        }
    }
    Ok((email, ids))
}
