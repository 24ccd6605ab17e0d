//! The emulated API without sockets, for clients in the same process.
//!
//! All else is the same code: faults, knobs and the clock.  On a runtime whose time is paused the service
//! lives in that time, so nothing waits for real and the same seed gives the same answers.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;

use crate::connection::ConnectionState;
use crate::emulator::handle::Emulator;
use crate::error::Error;
use crate::listener::Listener;
use crate::options::Options;
use crate::reply_body::ReplyBody;
use crate::request::Request;

/// The address that requests in this process name; nothing listens there.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The connection ended after the request was sent.
    #[error("the connection was reset")]
    Disconnected,
    /// There was no connection, so nothing was sent.
    #[error("the connection was refused")]
    Refused,
}

/// The body of an answer in this process, which can be slow, short or endless.  Dropping it before its
/// end closes the connection.
pub struct AnswerBody {
    body: ReplyBody,
    connection: Arc<ConnectionState>,
    /// The status says that there is no body, so none of it is sent.
    is_bare: bool,
}

impl Emulator {
    /// An emulator without sockets on the current tokio runtime, which [`Emulator::answer`] serves.
    ///
    /// # Errors
    ///
    /// The options ask for TLS or CQL, which need sockets.
    pub fn in_process(options: Options) -> Result<Self, Error> {
        if options.tls || options.cql {
            let reason = "TLS and CQL need sockets, which an emulator in this process has not";
            return Err(Error::Invalid(reason.to_owned()));
        }
        let listener = || Listener::in_process(ADDRESS);
        Ok(Self::with_listeners(options, listener(), listener()))
    }

    /// Answers one request on a connection of its own.
    ///
    /// # Errors
    ///
    /// A fault rule keeps the answer back.
    pub async fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<AnswerBody>, NoAnswer> {
        if !self.inner.api.is_open() {
            return Err(NoAnswer::Refused);
        }
        let service = self.inner.service.clone();
        let guard = service.in_flight.enter();
        let connection = Arc::new(ConnectionState::new(ADDRESS, false));
        let (head, body) = request.into_parts();
        let request = Request {
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            method: head.method,
            version: head.version,
            headers: head.headers,
            body,
            peer: ADDRESS.ip(),
        };
        let answer = service.serve(request, connection.clone(), guard).await;
        let answer = answer.map_err(|_| NoAnswer::Disconnected)?;
        let is_bare = answer.status() == StatusCode::NO_CONTENT;
        let answer = answer.map(|body| AnswerBody {
            body,
            connection,
            is_bare,
        });
        if answer.body().is_end_stream() {
            answer.body().written();
        }
        Ok(answer)
    }
}

impl AnswerBody {
    /// The reader has all that was handed over.
    fn written(&self) {
        self.connection.writing();
        self.connection.flushed();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_bare {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if self.body.is_end_stream() && matches!(polled, Poll::Ready(Some(Ok(_)) | None)) {
            self.written();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_bare || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_bare {
            true => SizeHint::with_exact(0),
            false => self.body.size_hint(),
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.over();
    }
}
