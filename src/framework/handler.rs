//! Engine code behind one boxed type.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// An asynchronous function of the engine `E` and an argument `A` that comes to `T`.
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

    pub(crate) async fn call(&self, engine: &Arc<E>, argument: A) -> T {
        (self.function)(Arc::clone(engine), argument).await
    }
}
