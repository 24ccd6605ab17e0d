//! Kinds of leased secrets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Map;
use serde_json::Value;

use super::Call;
use super::handler::Handler;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Lease;
use crate::vault::LeaseInfo;
use crate::vault::Response;

/// The key of a lease's internal data that names its [`SecretType`].
pub const SECRET_TYPE: &str = "secret_type";

/// What can be done with the leases of one kind.
pub struct SecretType<E> {
    pub(crate) name: &'static str,
    pub(crate) renew: Option<Handler<E, Call, HandlerResult>>,
    pub(crate) revoke: Option<Handler<E, Call, HandlerResult>>,
}

/// A lease of `ttl` for a secret of the kind `secret_type`.  It cannot be renewed and ends at `ttl`, unless
/// [`Lease::renewable_up_to`] says otherwise, which its kind needs a renew handler for.
pub fn lease(secret_type: &str, ttl: Duration) -> Lease {
    Lease {
        ttl,
        max_ttl: ttl,
        renewable: false,
        internal_data: Map::from_iter([(SECRET_TYPE.to_owned(), secret_type.into())]),
    }
}

impl<E: Send + Sync + 'static> SecretType<E> {
    /// A kind that leases call `name` in their internal data, for as long as leases live.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            renew: None,
            revoke: None,
        }
    }

    /// Extends a lease: answers a response with the lease renewed. On `Ok(None)` the host renews nothing
    /// and tells the caller of no error.
    pub fn on_renew<F, R, X>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Response>, X>> + Send + 'static,
        X: Into<Error>,
    {
        self.renew = Some(Handler::fallible(handler));
        self
    }

    /// Ends a lease: answers `None`, also when there is nothing left to end.
    pub fn on_revoke<F, R, X>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Response>, X>> + Send + 'static,
        X: Into<Error>,
    {
        self.revoke = Some(Handler::fallible(handler));
        self
    }

    /// The kind in `kinds` that issued `lease`.
    ///
    /// # Errors
    /// [`Error::Internal`] with the texts of Vault's framework.
    pub(crate) fn find<'a>(
        kinds: &'a [Self],
        lease: Option<&LeaseInfo>,
    ) -> Result<&'a Self, Error> {
        let lease = lease.ok_or_else(|| Error::Internal("request has no secret".to_owned()))?;
        lease
            .internal_data
            .get(SECRET_TYPE)
            .and_then(Value::as_str)
            .and_then(|name| kinds.iter().find(|kind| kind.name == name))
            .ok_or_else(|| Error::Internal("secret is unsupported by this backend".to_owned()))
    }

    /// Starts to extend a lease; [`SecretType::renewed`] takes what comes of it.
    pub(crate) fn renew(
        &self,
        engine: &Arc<E>,
        call: Call,
    ) -> Result<BoxFuture<'static, HandlerResult>, Error> {
        let renew = self.renew.as_ref().ok_or(Error::UnsupportedOperation)?;
        Ok(renew.call(engine, call))
    }

    /// The outcome of a renewal, with the type of the lease: the host stores the lease as it is answered,
    /// and without its type it could not be revoked.
    pub(crate) fn renewed(&self, outcome: HandlerResult) -> HandlerResult {
        let mut response = outcome.map_err(Error::of_renewal)?;
        let lease = response
            .as_mut()
            .and_then(|response| response.lease.as_mut());
        if let Some(lease) = lease {
            let data = &mut lease.internal_data;
            data.insert(SECRET_TYPE.to_owned(), self.name.into());
        }
        Ok(response)
    }

    /// Starts to end a lease.
    pub(crate) fn revoke(
        &self,
        engine: &Arc<E>,
        call: Call,
    ) -> Result<BoxFuture<'static, HandlerResult>, Error> {
        let revoke = self.revoke.as_ref().ok_or(Error::UnsupportedOperation)?;
        Ok(revoke.call(engine, call))
    }
}
