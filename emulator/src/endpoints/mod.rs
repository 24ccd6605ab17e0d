//! The operations, one module per resource.

use time::OffsetDateTime;

use crate::auth;
use crate::auth::Caller;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Endpoint;
use crate::router::Family;
use crate::router::route;
use crate::shape;
use crate::state::World;

mod bundles;
mod databases;
mod dataplane;
mod organization;
mod roles;
mod tokens;

/// One request on its way through the service.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) request: &'a Request,
    pub(crate) seq: u64,
    pub(crate) now: OffsetDateTime,
    /// A token is to be minted without the first of its roles.
    pub(crate) drop_role: bool,
}

impl Call<'_> {
    /// Routing, authentication, access list, permission, validation, commit: in this order.
    pub(crate) fn handle(&mut self) -> Handled {
        let Some(endpoint) = route(&self.request.method, &self.request.path) else {
            self.violate("unknown_path", "no such path and method");
            return Reply::not_routed().into();
        };
        if let Some(answer) = dataplane::handle(self, &endpoint) {
            return answer.unwrap_or_else(Handled::from);
        }
        if let Endpoint::Bundle(file) = &endpoint {
            return bundles::download(self, &endpoint, file);
        }
        let caller = match auth::authenticate(self.world, self.request, self.now) {
            Ok(caller) => caller,
            Err((reply, deviation)) => {
                if let Some(detail) = deviation {
                    self.violate("authorization", detail);
                }
                return reply.into();
            }
        };
        if let Some(org) = self.world.state.org(&caller.org)
            && !org.admits(self.request.peer)
        {
            return self
                .refuse(403, "the access list does not admit this address")
                .into();
        }
        let result = match &endpoint {
            Endpoint::CurrentOrg => organization::current(self, &endpoint, &caller),
            Endpoint::ListUsers => organization::users(self, &endpoint, &caller),
            Endpoint::ListTokens => tokens::list(self, &endpoint, &caller),
            Endpoint::CreateToken(with_org) => tokens::create(self, &endpoint, &caller, *with_org),
            Endpoint::DeleteToken(id) => tokens::delete(self, &endpoint, &caller, id.as_deref()),
            Endpoint::ListRoles => roles::list(self, &endpoint, &caller),
            Endpoint::CreateRole => roles::create(self, &endpoint, &caller),
            Endpoint::GetRole(id) => roles::get(self, &endpoint, &caller, id),
            Endpoint::UpdateRole(id) => roles::update(self, &endpoint, &caller, id),
            Endpoint::DeleteRole(id) => roles::delete(self, &endpoint, &caller, id),
            Endpoint::ListDatabases => databases::list(self, &endpoint, &caller),
            Endpoint::GetDatabase(id) => databases::get(self, &endpoint, &caller, id),
            Endpoint::ListDatacenters(id) => databases::datacenters(self, &endpoint, &caller, id),
            Endpoint::SecureBundleUrl(id) => bundles::create(self, &endpoint, &caller, id),
            Endpoint::Bundle(_)
            | Endpoint::DataApi(..)
            | Endpoint::DataKeyspaces(_)
            | Endpoint::DataCollections(..)
            | Endpoint::DataGraphql(..) => Ok(Reply::not_routed().into()),
        };
        result.unwrap_or_else(Handled::from)
    }

    /// Records a deviation of this request.
    pub(crate) fn violate(&mut self, rule: &'static str, detail: &str) {
        self.world.violate(self.seq, self.request, rule, detail);
    }

    /// Refuses a deviation with 400 and records it.
    pub(crate) fn deviation(&mut self, rule: &'static str, detail: &str) -> Reply {
        self.violate(rule, detail);
        self.refuse(400, detail)
    }

    /// A refusal in the shape of the IAM services.
    pub(crate) fn refuse(&self, status: u16, message: &str) -> Reply {
        Reply::iam(self.world.knobs.iam_errors, status, message)
    }

    /// The family's answer to a missing permission.
    fn forbidden(&self, endpoint: &Endpoint, message: &str) -> Reply {
        match endpoint.family() {
            Family::Iam => self.refuse(403, message),
            Family::Database => Reply::null(401),
        }
    }

    /// Refuses a caller that lacks `action` on its organization.
    fn permit(&self, endpoint: &Endpoint, caller: &Caller, action: &str) -> Result<(), Reply> {
        if caller.rights.organization(action) {
            return Ok(());
        }
        Err(self.forbidden(endpoint, &format!("permission {action} is missing")))
    }

    /// Refuses a request of the wrong shape; the field profile looks away.
    fn well_formed(&mut self, endpoint: &Endpoint) -> Result<(), Reply> {
        if !self.world.strict() {
            return Ok(());
        }
        shape::check(self.request, endpoint).map_err(|(rule, detail)| self.deviation(rule, &detail))
    }

    /// The body as a JSON object.
    fn object(&mut self) -> Result<serde_json::Map<String, serde_json::Value>, Reply> {
        match serde_json::from_slice(&self.request.body) {
            Ok(serde_json::Value::Object(object)) => Ok(object),
            Ok(_) => Err(self.deviation("json", "the body is not a JSON object")),
            Err(error) => Err(self.deviation("json", &format!("the body is not JSON: {error}"))),
        }
    }
}

/// A role as the role list shows it.
pub(crate) fn role_view(role: &crate::state::role::Role) -> serde_json::Value {
    roles::view(role)
}
