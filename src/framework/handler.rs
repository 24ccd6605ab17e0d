//! What a handler is, and the call that it gets.

use std::future::Future;
use std::sync::Arc;

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::Fields;
use super::ineffective::Ineffective;
use crate::vault::Error;
use crate::vault::Request;

/// A routed request with its converted fields.
///
/// It has no `Debug`: both parts can hold secrets.
#[derive(Clone)]
pub struct Call {
    /// The request.  The parameters that the path declares have moved from `request.data` to
    /// `fields`; what is left are the undeclared ones.  On renew and revoke `data` is untouched.
    pub request: Request,
    /// The declared parameters; empty on renew, revoke and rollback.
    pub fields: Fields,
    pub(crate) ineffective: Ineffective,
}

impl Call {
    /// Refuses parameters that the operation does not take.  For handlers that act outside of storage
    /// in some cases; where they always do, [`super::Path::refuses_unknown_parameters`] says so.
    ///
    /// # Errors
    /// [`Error::BadRequest`] that names the parameters.
    pub fn refuse_unknown_parameters(&self) -> Result<(), Error> {
        self.ineffective.refuse_unknown()
    }

    /// On renew and revoke: the text `name` in the lease's internal data.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is none: another version of the engine made the lease.
    pub fn lease_text(&self, name: &str) -> Result<&str, Error> {
        let lease = self.request.lease.as_ref();
        lease
            .and_then(|lease| lease.internal_data.get(name))
            .and_then(Value::as_str)
            .ok_or_else(|| {
                Error::Internal(format!("the lease's internal data has no text {name:?}"))
            })
    }
}

/// An asynchronous function of the engine `E` and an argument `A` that results in `T`.
pub(crate) struct Handler<E, A, T> {
    function: Box<dyn Fn(Arc<E>, A) -> BoxFuture<'static, T> + Send + Sync>,
}

impl<E, A, T> Handler<E, A, T> {
    pub(crate) fn new<F, R>(function: F) -> Self
    where
        F: Fn(Arc<E>, A) -> R + Send + Sync + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        Self {
            function: Box::new(move |engine, argument| Box::pin(function(engine, argument))),
        }
    }

    /// Not an async function: its future would hold the argument once more.
    pub(crate) fn call(&self, engine: &Arc<E>, argument: A) -> BoxFuture<'static, T> {
        (self.function)(Arc::clone(engine), argument)
    }
}

impl<E, A, T> Handler<E, A, Result<T, Error>> {
    /// [`Handler::new`] for a function whose error becomes one of Vault's.
    pub(crate) fn fallible<F, R, X>(function: F) -> Self
    where
        F: Fn(Arc<E>, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, X>> + Send + 'static,
        X: Into<Error>,
    {
        Self {
            // Not an async block: that would hold the function's future twice.
            function: Box::new(move |engine, argument| {
                Box::pin(function(engine, argument).err_into())
            }),
        }
    }
}
