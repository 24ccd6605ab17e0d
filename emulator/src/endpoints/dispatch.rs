//! From a request to the operation that answers it.

use crate::auth;
use crate::endpoints::bundles;
use crate::endpoints::call::Call;
use crate::endpoints::databases;
use crate::endpoints::dataplane;
use crate::endpoints::organization;
use crate::endpoints::refusal::RefusalShape;
use crate::endpoints::regions;
use crate::endpoints::roles;
use crate::endpoints::token_create;
use crate::endpoints::tokens;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::router::route;

/// Routing, authentication, access list, permission, validation, commit: in this order.
pub(crate) fn handle(call: &mut Call<'_>) -> Handled {
    let Some(endpoint) = route(&call.request.method, &call.request.path) else {
        call.record_violation("unknown_path", "no such path and method");
        return Reply::not_routed().into();
    };
    call.refusals = RefusalShape::of(&endpoint, call.knobs().iam_errors);
    if let Some(answer) = dataplane::handle(call, &endpoint) {
        return answer.unwrap_or_else(Handled::from);
    }
    if let Endpoint::Bundle(file) = &endpoint {
        return bundles::download(call, &endpoint, file);
    }
    let caller = match auth::authenticate(call.state, call.request, call.now) {
        Ok(caller) => caller,
        Err((reply, deviation)) => {
            if let Some(detail) = deviation {
                call.record_violation("authorization", detail);
            }
            return reply.into();
        }
    };
    if let Some(org) = call.state.records.org(&caller.org)
        && !org.admits(call.request.peer)
    {
        return call
            .refuse(403, "the access list does not admit this address")
            .into();
    }
    let result = match &endpoint {
        Endpoint::CurrentOrg => organization::current(call, &endpoint, &caller),
        Endpoint::ListUsers => organization::users(call, &endpoint, &caller),
        Endpoint::InviteUser => organization::invite(call, &endpoint, &caller),
        Endpoint::ListTokens => tokens::list(call, &endpoint, &caller),
        Endpoint::CreateToken => token_create::create(call, &endpoint, &caller),
        Endpoint::DeleteToken(id) => tokens::delete(call, &endpoint, &caller, id.as_deref()),
        Endpoint::ListRoles => roles::list(call, &endpoint, &caller),
        Endpoint::CreateRole => roles::create(call, &endpoint, &caller),
        Endpoint::GetRole(id) => roles::get(call, &endpoint, &caller, id),
        Endpoint::UpdateRole(id) => roles::update(call, &endpoint, &caller, id),
        Endpoint::DeleteRole(id) => roles::delete(call, &endpoint, &caller, id),
        Endpoint::ListServerlessRegions => regions::list(call, &endpoint, &caller),
        Endpoint::ListDatabases => databases::list(call, &endpoint, &caller),
        Endpoint::GetDatabase(id) => databases::get(call, &endpoint, &caller, id),
        Endpoint::ListDatacenters(id) => databases::datacenters(call, &endpoint, &caller, id),
        Endpoint::SecureBundleUrl(id) => bundles::create(call, &endpoint, &caller, id),
        Endpoint::Bundle(_)
        | Endpoint::DataApi(..)
        | Endpoint::DataCollection(..)
        | Endpoint::DataKeyspaces(_)
        | Endpoint::DataCollections(..)
        | Endpoint::DataGraphql(..) => Ok(Reply::not_routed().into()),
    };
    result.unwrap_or_else(Handled::from)
}
