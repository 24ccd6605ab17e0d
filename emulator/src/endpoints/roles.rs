//! `/v2/organizations/roles`.

use std::time::Duration;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::auth::Caller;
use crate::clock;
use crate::endpoints::call::Call;
use crate::ids;
use crate::knobs::RoleCase;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::role::Policy;
use crate::state::role::Role;

/// A role as recorded.
#[derive(Serialize)]
struct Snake<'a> {
    id: &'a str,
    name: &'a str,
    policy: &'a Policy,
    last_update_date_time: &'a str,
    last_update_user_id: &'a str,
}

/// A role as the OpenAPI document has it.
#[derive(Serialize)]
struct Oas<'a> {
    id: &'a str,
    name: &'a str,
    policy: &'a Policy,
    last_update_datetime: &'a str,
    last_update_userid: &'a str,
}

/// A role as old documentation shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pascal<'a, P> {
    #[serde(rename = "OrgID")]
    org_id: &'a str,
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    policy: P,
    last_update_date_time: &'a str,
    #[serde(rename = "LastUpdateUserID")]
    last_update_user_id: &'a str,
}

fn render(role: &Role, case: RoleCase) -> Value {
    serde_json::from_slice(&bytes(role, case)).unwrap_or_default()
}

/// The field order only matters for the comparison with the recording.
fn bytes(role: &Role, case: RoleCase) -> Vec<u8> {
    let (id, name, policy) = (&role.id, &role.name, &role.policy);
    let (date, user) = (&role.last_update_date_time, &role.last_update_user_id);
    let org_id = role.org_id.as_deref().unwrap_or_default();
    let text = match case {
        RoleCase::Snake => serde_json::to_vec(&Snake {
            id,
            name,
            policy,
            last_update_date_time: date,
            last_update_user_id: user,
        }),
        RoleCase::Oas => serde_json::to_vec(&Oas {
            id,
            name,
            policy,
            last_update_datetime: date,
            last_update_userid: user,
        }),
        RoleCase::Pascal => serde_json::to_vec(&Pascal {
            org_id,
            id,
            name,
            policy,
            last_update_date_time: date,
            last_update_user_id: user,
        }),
        RoleCase::PolicyAsString => serde_json::to_vec(&Pascal {
            org_id,
            id,
            name,
            policy: serde_json::to_string(policy).unwrap_or_default(),
            last_update_date_time: date,
            last_update_user_id: user,
        }),
    };
    text.unwrap_or_default()
}

fn one(status: u16, role: &Role, case: RoleCase) -> Reply {
    Reply::new(status, crate::reply::JSON, bytes(role, case))
}

pub(super) fn list(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    if call.knobs().list_roles_needs_permission {
        call.permit(endpoint, caller, "org-role-read")?;
    }
    call.well_formed(endpoint)?;
    let case = call.knobs().role_case;
    let mut body = vec![b'['];
    let roles = &call.state.records.roles;
    let known = roles.of(&caller.org);
    for role in known.filter(|role| roles.is_known(&role.id, call.now)) {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(&bytes(role, case));
    }
    body.push(b']');
    Ok(Reply::new(200, crate::reply::JSON, body).into())
}

pub(super) fn get(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-role-read")?;
    call.well_formed(endpoint)?;
    let role = existing(call, caller, id)?;
    Ok(one(200, &role, call.knobs().role_case).into())
}

pub(super) fn create(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-role-write")?;
    call.well_formed(endpoint)?;
    let (name, policy) = definition(call, caller)?;
    unique(call, caller, &name, None)?;
    let role = Role {
        id: ids::uuid(&mut call.state.rng),
        org_id: Some(caller.org.clone()),
        name,
        policy,
        last_update_date_time: clock::rfc3339(call.now),
        last_update_user_id: caller.client_id.to_string(),
    };
    // The list is recorded in snake case; clients read the answer to a create in Pascal case.
    let case = match call.knobs().role_case {
        RoleCase::Snake => RoleCase::Pascal,
        other => other,
    };
    let reply = one(201, &role, case);
    let delay = Duration::from_millis(call.knobs().role_visible_after_ms);
    if !delay.is_zero() {
        let until = clock::later(call.now, delay);
        call.state.records.roles.hide_until(role.id.clone(), until);
    }
    call.state.records.roles.put(role);
    Ok(Handled::done(reply))
}

pub(super) fn update(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-role-write")?;
    call.well_formed(endpoint)?;
    let old = existing(call, caller, id)?;
    if old.org_id.is_none() {
        return Err(call.refuse(403, "built-in roles cannot be changed"));
    }
    let (name, policy) = definition(call, caller)?;
    unique(call, caller, &name, Some(id))?;
    let role = Role {
        name,
        policy,
        last_update_date_time: clock::rfc3339(call.now),
        last_update_user_id: caller.client_id.to_string(),
        ..old
    };
    let reply = one(200, &role, call.knobs().role_case);
    call.state.records.roles.put(role);
    Ok(Handled::done(reply))
}

pub(super) fn delete(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-role-delete")?;
    call.well_formed(endpoint)?;
    let old = existing(call, caller, id)?;
    if old.org_id.is_none() {
        return Err(call.refuse(403, "built-in roles cannot be deleted"));
    }
    // Tokens keep the id; it grants nothing any more.
    call.state.records.roles.remove(id);
    Ok(Handled::done(Reply::empty(204)))
}

fn existing(call: &mut Call<'_>, caller: &Caller, id: &str) -> Result<Role, Reply> {
    if !ids::is_uuid(id) {
        let text = "the role id is not a UUID";
        if call.state.strict() {
            return Err(call.deviation("role_id", text));
        }
        call.record_violation("role_id", text);
        return Err(call.refuse(404, &format!("role {id} not found")));
    }
    let roles = &call.state.records.roles;
    let known = roles.is_known(id, call.now);
    match roles.get(&caller.org, id).filter(|_| known) {
        Some(role) => Ok(Role::clone(role)),
        None => Err(call.refuse(404, &format!("role {id} not found"))),
    }
}

fn unique(
    call: &mut Call<'_>,
    caller: &Caller,
    name: &str,
    except: Option<&str>,
) -> Result<(), Reply> {
    let taken = call
        .state
        .records
        .roles
        .of(&caller.org)
        .any(|role| role.name == name && Some(role.id.as_str()) != except);
    if taken {
        return Err(call.refuse(409, &format!("a role named {name} exists")));
    }
    Ok(())
}

fn definition(call: &mut Call<'_>, caller: &Caller) -> Result<(String, Policy), Reply> {
    let body = call.object()?;
    parse(&body, &caller.org, call.state.strict()).map_err(|text| call.deviation("role", &text))
}

/// Reads `{"name":…,"policy":{…}}`, all of it required.
pub(crate) fn parse(
    body: &Map<String, Value>,
    org: &str,
    strict: bool,
) -> Result<(String, Policy), String> {
    let name = match body.get("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
        _ => return Err("name is required and is not empty".into()),
    };
    let Some(Value::Object(fields)) = body.get("policy") else {
        return Err("policy is required and is an object".into());
    };
    if strict {
        known(body, &["name", "policy"])?;
        known(fields, &["description", "resources", "actions", "effect"])?;
    }
    let policy: Policy = serde_json::from_value(Value::Object(fields.clone()))
        .map_err(|error| format!("policy: {error}"))?;
    if policy.effect != "allow" {
        return Err("policy.effect can only be allow".into());
    }
    if policy.actions.iter().any(|action| action.trim().is_empty()) {
        return Err("policy.actions has an empty action".into());
    }
    let own = format!("drn:astra:org:{org}");
    for resource in &policy.resources {
        let Some(rest) = resource.strip_prefix(&own) else {
            return Err(format!("resource {resource} does not start with {own}"));
        };
        if !rest.is_empty() && !rest.starts_with(':') || rest.ends_with(':') {
            return Err(format!("resource {resource} is malformed"));
        }
    }
    Ok((name, policy))
}

fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown field {name}")),
        None => Ok(()),
    }
}

/// A role for the control API.
pub(crate) fn view(role: &Role) -> Value {
    render(role, RoleCase::Snake)
}
