//! Tracks the delivery of answers, and undoes what an undelivered one did.
//!
//! The future of a call is dropped as soon as its caller gives up, so work with side effects runs in
//! a task of its own.  But then the work may end in an answer without a reader, for instance a
//! credential without a holder.  Such an answer brings an undo with it, and this module follows the
//! answer on its way: from the task through the call's future into the body of the HTTP response.
//! Wherever it is dropped before the last of it has been handed to the connection, the undo runs.

use std::future::Future;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tonic::Response;
use tonic::body::Body;
use tracing::Instrument as _;
use tracing::Span;

use super::tasks::Tasks;
use crate::vault::Undo;

/// Runs `work` in a task and hands over its answer together with the duty to undo it.
///
/// `None` means that the work panicked; the panic hook has said so.
pub(super) async fn detached<T: Send + 'static>(
    tasks: &Tasks,
    span: Span,
    work: impl Future<Output = (T, Option<Undo>)> + Send + 'static,
) -> Option<Response<T>> {
    let (sender, receiver) = oneshot::channel();
    let group = tasks.clone();
    let hand_over = async move {
        let (answer, undo) = work.await;
        // If the receiver is gone, the answer comes back and is dropped here.
        let _ = sender.send((answer, undo.map(|undo| Undelivered::new(undo, group))));
    };
    tasks.spawn(hand_over.instrument(span));
    let (answer, undelivered) = receiver.await.ok()?;
    let mut response = Response::new(answer);
    if let Some(undelivered) = undelivered {
        response
            .extensions_mut()
            .insert(Receipt(Arc::new(Mutex::new(Some(undelivered)))));
    }
    Some(response)
}

/// Watches a response on its last leg; for `tower`'s `map_response` around the services.
pub(super) fn track_delivery(mut response: http::Response<Body>) -> http::Response<Body> {
    let Some(mut undelivered) = response
        .extensions_mut()
        .remove::<Receipt>()
        .and_then(Receipt::open)
    else {
        return response;
    };
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // The trailers come last; before asking for them the connection has made sure that the
            // caller is still there.
            if frame.is_trailers() {
                undelivered.mark_delivered();
            }
            frame
        }))
    })
}

/// Carries [`Undelivered`] through the extensions of a response, which have to be cloneable.
#[derive(Clone)]
struct Receipt(Arc<Mutex<Option<Undelivered>>>);

impl Receipt {
    fn open(self) -> Option<Undelivered> {
        self.0.lock().take()
    }
}

/// The duty to undo; falls due when this is dropped.
struct Undelivered {
    undo: Option<Undo>,
    tasks: Tasks,
    span: Span,
}

impl Undelivered {
    fn new(undo: Undo, tasks: Tasks) -> Self {
        Self {
            undo: Some(undo),
            tasks,
            span: Span::current(),
        }
    }

    /// The answer has been delivered.
    fn mark_delivered(&mut self) {
        self.undo = None;
    }
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        // Outside of the runtime the process is ending and nothing can run any more.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.span
                .in_scope(|| tracing::info!("the caller is gone: undoing what its request did"));
            self.tasks.spawn(undo.instrument(self.span.clone()));
        }
    }
}
