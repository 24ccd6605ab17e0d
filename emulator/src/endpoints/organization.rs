//! `/v2/currentOrg` and `/v2/organizations/users`.

use serde::Serialize;

use crate::auth::Caller;
use crate::endpoints::call::Call;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;

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

pub(super) fn users(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
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
