//! Answer bodies that can be slow, short or endless.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use tokio::time::Sleep;

use crate::connection::ConnectionState;
use crate::connection::End;
use crate::in_flight::InFlightGuard;

/// One thing a body does.
pub(crate) enum Step {
    Data(Bytes),
    Wait(Duration),
    /// Abort the connection, with RST if `true`.
    Abort(bool),
    Hang,
}

/// A body that goes through its steps.
pub(crate) struct ReplyBody {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    connection: Arc<ConnectionState>,
    end: Option<End>,
    /// The request counts as in flight until its last bytes are handed over or it is given up.
    guard: Option<InFlightGuard>,
}

impl ReplyBody {
    pub(crate) fn new(
        steps: VecDeque<Step>,
        connection: Arc<ConnectionState>,
        end: End,
        guard: Option<InFlightGuard>,
    ) -> Self {
        let mut body = Self {
            steps,
            sleep: None,
            connection,
            end: Some(end),
            guard,
        };
        body.finish();
        body
    }

    /// Hands over the end when no step is left.
    fn finish(&mut self) {
        if self.steps.is_empty()
            && let Some(end) = self.end.take()
        {
            self.guard = None;
            self.connection.ended(end);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Data(bytes)) => {
                    self.finish();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Abort(reset)) => {
                    if reset {
                        self.connection.reset();
                    }
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                Some(Step::Hang) => {
                    // Only the peer wakes this task, by closing the connection.
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut length = 0;
        for step in &self.steps {
            match step {
                Step::Data(bytes) => length += bytes.len() as u64,
                Step::Wait(_) => {}
                Step::Abort(_) | Step::Hang => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(length)
    }
}
