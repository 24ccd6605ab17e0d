//! What carries a request to the API: the network, or a service in this process.
//!
//! A simulation runs the whole engine on one thread under a paused clock, which sockets would break.
//! Only the bytes' way differs: requests, retries, limits and what answers mean are the same code.

use std::error::Error as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Body;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::ResponseBuilderExt;
use reqwest::header;
use reqwest::header::HeaderValue;

use super::printable;

/// Answers requests in this process, in the place of the network.
pub trait HttpService: Send + Sync + 'static {
    /// Answers one request, whose URL is absolute.  The future is dropped when the time for the answer
    /// is over, as a connection would be closed; so is the body of the answer.
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, SendError>>;
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The connection broke after the request was sent, at least in part.
    #[error("{0}")]
    Disconnected(String),
    /// The request cannot be sent by anyone.
    #[error("{0}")]
    Invalid(String),
    /// Name resolution, connection and TLS come before the first byte of the request: none was sent.
    #[error("{0}")]
    Unreachable(String),
}

impl From<&reqwest::Error> for SendError {
    fn from(error: &reqwest::Error) -> Self {
        let cause = cause(error);
        if error.is_connect() {
            Self::Unreachable(cause)
        } else if error.is_builder() {
            Self::Invalid(cause)
        } else {
            Self::Disconnected(cause)
        }
    }
}

/// The way to the API.  The choice costs the network nothing but a look at an option.
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) service: Option<Arc<dyn HttpService>>,
    pub(super) user_agent: HeaderValue,
}

impl Http {
    /// Sends a request and returns the head of the answer, whose body is still to come.
    pub(super) async fn send(&self, builder: RequestBuilder) -> Result<Response, SendError> {
        let Some(service) = &self.service else {
            #[cfg(not(feature = "fuzzing"))]
            let sent = builder.send();
            #[cfg(feature = "fuzzing")]
            let sent = super::fuzzing::send(builder);
            return sent.await.map_err(|error| SendError::from(&error));
        };
        // On the heap, so that it makes no request to the network larger.
        Box::pin(self.answer_in_process(service.as_ref(), builder)).await
    }

    async fn answer_in_process(
        &self,
        service: &dyn HttpService,
        builder: RequestBuilder,
    ) -> Result<Response, SendError> {
        let request = builder.build().map_err(|error| SendError::from(&error))?;
        let url = request.url().clone();
        let mut asked = http::Request::new(Bytes::new());
        *asked.method_mut() = request.method().clone();
        *asked.headers_mut() = request.headers().clone();
        let agent = self.user_agent.clone();
        asked.headers_mut().insert(header::USER_AGENT, agent);
        *asked.uri_mut() = url.as_str().parse().map_err(invalid)?;
        if let Some(body) = request.body().and_then(Body::as_bytes) {
            *asked.body_mut() = Bytes::copy_from_slice(body);
        }
        let (head, body) = service.answer(asked).await?.into_parts();
        let mut answer = http::Response::builder()
            .status(head.status)
            .url(url)
            .body(body)
            .map_err(invalid)?;
        *answer.headers_mut() = head.headers;
        Ok(answer.into())
    }

    /// Whether a body may be read in parts by a thread of its own, which a paused clock would wait for.
    pub(super) fn may_use_threads(&self) -> bool {
        self.service.is_none()
    }
}

fn invalid(error: impl std::fmt::Display) -> SendError {
    SendError::Invalid(error.to_string())
}

/// The innermost two causes, which say most; the outer ones repeat the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = source.source();
    }
    if causes.is_empty() {
        return "no cause given".to_owned();
    }
    let first = causes.len().saturating_sub(2);
    printable::clean(&causes.get(first..).unwrap_or_default().join(": "))
        .chars()
        .take(300)
        .collect()
}

/// The service that all clients of a simulation use, in the place of the network.
#[cfg(test)]
pub mod simulated {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::HttpService;

    thread_local! {
        static SERVICE: RefCell<Option<Arc<dyn HttpService>>> = const { RefCell::new(None) };
    }

    /// The service of this thread's simulation, if one runs.
    pub fn service() -> Option<Arc<dyn HttpService>> {
        SERVICE.with_borrow(Clone::clone)
    }

    /// Sets the service for clients that are made from now on; `None` is the network.
    pub fn set(service: Option<Arc<dyn HttpService>>) {
        SERVICE.set(service);
    }
}
