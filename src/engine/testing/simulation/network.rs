//! The way from the engine to the emulated Astra: no sockets, but delays, and requests that arrive
//! although no one waits for their answer any more.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::NoAnswer;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Body;
use tokio::sync::oneshot;

use super::chance;
use super::trace::Trace;
use crate::astra::HttpService;
use crate::astra::SendError;

/// The network.
pub struct Network {
    /// Where requests go.
    pub astra: Emulator,
    /// What is told of them.
    pub trace: Arc<Trace>,
}

impl HttpService for Network {
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, SendError>> {
        let (astra, trace) = (self.astra.clone(), Arc::clone(&self.trace));
        let [there, back] =
            chance::draw(|rng| [rng.u64(1..=30), rng.u64(1..=30)]).map(Duration::from_millis);
        let (mut answered, answer) = oneshot::channel();
        // What has been sent arrives, also when the sender is dead by then.
        tokio::spawn(async move {
            tokio::time::sleep(there).await;
            let what = format!("{} {}", request.method(), request.uri().path());
            let answering = astra.answer(request);
            let answer = tokio::select! {
                biased;
                answer = answering => answer,
                // As at the end of a connection: what was begun goes on without it.
                () = answered.closed() => return trace.note(format_args!("astra: {what}: caller gone")),
            };
            match &answer {
                Ok(answer) => trace.note(format_args!("astra: {what}: {}", answer.status())),
                Err(error) => trace.note(format_args!("astra: {what}: {error}")),
            }
            tokio::time::sleep(back).await;
            let _ = answered.send(answer);
        });
        Box::pin(async move {
            match answer.await {
                Ok(Ok(answer)) => Ok(answer.map(Body::wrap)),
                Ok(Err(error @ NoAnswer::Refused)) => {
                    Err(SendError::Unreachable(error.to_string()))
                }
                Ok(Err(error @ NoAnswer::Disconnected)) => {
                    Err(SendError::Disconnected(error.to_string()))
                }
                Err(error) => Err(SendError::Disconnected(error.to_string())),
            }
        })
    }
}
