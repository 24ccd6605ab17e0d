//! One request on its way through the service.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::auth::Caller;
use crate::endpoints::refusal::RefusalShape;
use crate::knobs::Knobs;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Endpoint;
use crate::router::Family;
use crate::shape;
use crate::state::service_state::ServiceState;

/// One request on its way through the service.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut ServiceState,
    pub(crate) request: &'a Request,
    /// The organization of the token in the credentials, whether it is valid or not.
    pub(crate) org: Option<Arc<str>>,
    /// Set once the operation is known.
    pub(crate) refusals: RefusalShape,
    pub(crate) seq: u64,
    pub(crate) now: OffsetDateTime,
    /// A token is to be minted without the first of its roles.
    pub(crate) drop_role: bool,
}

impl Call<'_> {
    /// The knobs of the caller's organization.
    pub(crate) fn knobs(&self) -> &Knobs {
        self.state.knobs.of(self.org.as_deref())
    }

    /// Records a deviation of this request.
    pub(crate) fn record_violation(&mut self, rule: &'static str, detail: &str) {
        self.state
            .record_violation(self.seq, self.request, rule, detail);
    }

    /// Refuses a deviation with 400 and records it.
    pub(crate) fn deviation(&mut self, rule: &'static str, detail: &str) -> Reply {
        self.record_violation(rule, detail);
        self.refuse(400, detail)
    }

    /// A refusal in the shape of the operation.
    pub(crate) fn refuse(&self, status: u16, message: &str) -> Reply {
        self.refusals.reply(status, message)
    }

    /// The family's answer to a missing permission.
    pub(super) fn forbidden(&self, endpoint: &Endpoint, message: &str) -> Reply {
        match endpoint.family() {
            Family::Iam => self.refuse(self.knobs().iam_forbidden_status, message),
            Family::Database => Reply::null(401),
        }
    }

    /// Refuses a caller that lacks `action` on its organization.
    pub(super) fn permit(
        &self,
        endpoint: &Endpoint,
        caller: &Caller,
        action: &str,
    ) -> Result<(), Reply> {
        if caller.rights.organization(action) {
            return Ok(());
        }
        Err(self.forbidden(endpoint, &format!("permission {action} is missing")))
    }

    /// Refuses a request of the wrong shape; the field profile accepts it.
    pub(super) fn well_formed(&mut self, endpoint: &Endpoint) -> Result<(), Reply> {
        if !self.state.strict() {
            return Ok(());
        }
        shape::check(self.request, endpoint).map_err(|(rule, detail)| self.deviation(rule, &detail))
    }

    /// The body as a JSON object.
    pub(super) fn object(&mut self) -> Result<serde_json::Map<String, serde_json::Value>, Reply> {
        match serde_json::from_slice(&self.request.body) {
            Ok(serde_json::Value::Object(object)) => Ok(object),
            Ok(_) => Err(self.deviation("json", "the body is not a JSON object")),
            Err(error) => Err(self.deviation("json", &format!("the body is not JSON: {error}"))),
        }
    }
}
