//! Delayed answers to the host's pings.
//!
//! A gRPC host in Go measures each connection's bandwidth: with the first data that it reads it sends a
//! ping, and with no further data until that is answered (docs/internals/protocol.md, "Services").
//! Answered at once, that is a ping and an answer with each message, a third of all that is read
//! and written on either side; answered a little later, it is a few of them a second.
//!
//! By hand, because the HTTP/2 library answers pings itself and has no setting for when.  What it saves:
//! docs/internals/performance.md, "What was tried".

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;

/// How long an answer is held.  Hosts that ping to see whether the plugin is alive allow seconds.
const HOLD: Duration = Duration::from_millis(100);

/// What a client sends before its first frame, in bytes (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// Length, type, flags and stream of a frame, in bytes (RFC 9113, section 4.1).
const HEADER: usize = 9;

/// The whole of the header of an answer to a ping: eight bytes of payload, type PING, flag ACK, the
/// stream of the connection (RFC 9113, section 6.7).
const ACK: [u8; HEADER] = [0, 0, 8, 6, 1, 0, 0, 0, 0];

/// An answer to a ping.
const ACK_SIZE: usize = HEADER + 8;

/// How much is held at most, in bytes: a host has one such ping in flight, seldom two.
const MOST: usize = 16 * ACK_SIZE;

/// What to do with the next bytes of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// The first so many are an answer to a ping, which is kept here.
    Held(usize),
    /// At most so many may be written.
    Pass(usize),
}

/// Follows the frames that one side of a connection writes, and holds its answers to pings.
pub(super) struct DelayedPingAcks {
    /// How much is still to come of the frame that is being written; `None` once frames cannot be told
    /// apart, and everything passes.
    left: Option<usize>,
    held: Vec<u8>,
    due: Pin<Box<Sleep>>,
}

impl DelayedPingAcks {
    /// For what a server writes.
    pub(super) fn server() -> Self {
        Self {
            left: Some(0),
            held: Vec::new(),
            due: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// For what a client writes.
    pub(super) fn client() -> Self {
        Self {
            left: Some(PREFACE),
            ..Self::server()
        }
    }

    /// Looks at what is to be written next, which is not empty, and holds it if it is an answer to a ping.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Part {
        if self.left == Some(0) {
            if let Some(answer) = bytes.get(..ACK_SIZE)
                && answer.starts_with(&ACK)
                && self.held.len() < MOST
            {
                self.hold(answer);
                return Part::Held(ACK_SIZE);
            }
            self.left = frame_size(bytes);
        }
        Part::Pass(self.left.unwrap_or(bytes.len()).min(bytes.len()))
    }

    /// So many bytes of those that might pass have been written.
    pub(super) fn written(&mut self, count: usize) {
        self.left = self.left.map(|left| left.saturating_sub(count));
    }

    /// The answers that are due now, if any; of others the task is told when they are.
    pub(super) fn due(&mut self, cx: &mut Context<'_>) -> Option<&[u8]> {
        // Between two frames only: an answer may not interrupt one.
        if self.held.is_empty() || self.left.is_some_and(|left| left > 0) {
            return None;
        }
        let is_due = self.due.as_mut().poll(cx).is_ready();
        is_due.then_some(self.held.as_slice())
    }

    /// So many bytes of the answers that were due have been written.
    pub(super) fn answered(&mut self, count: usize) {
        self.held.drain(..count.min(self.held.len()));
    }

    fn hold(&mut self, answer: &[u8]) {
        if self.held.is_empty() {
            self.due.as_mut().reset(Instant::now() + HOLD);
        }
        self.held.extend_from_slice(answer);
    }
}

/// The size of the frame that begins with `bytes`; `None` when its header is not there as a whole, which
/// the HTTP/2 library writes at once.
fn frame_size(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [a, b, c, ..] if bytes.len() >= HEADER => {
            let length = u32::from_be_bytes([0, *a, *b, *c]);
            Some(HEADER + usize::try_from(length).ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prop_oneof;
    use proptest::proptest;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    fn answer() -> Vec<u8> {
        [ACK.as_slice(), b"12345678"].concat()
    }

    /// What passes of `bytes`, written in steps of at most `step` bytes.
    fn passed(answers: &mut DelayedPingAcks, mut bytes: &[u8], step: usize) -> Vec<u8> {
        let mut passed = Vec::new();
        while !bytes.is_empty() {
            let count = match answers.next(bytes) {
                Part::Held(count) => count,
                Part::Pass(most) => {
                    let count = most.min(step);
                    passed.extend_from_slice(&bytes[..count]);
                    answers.written(count);
                    count
                }
            };
            bytes = &bytes[count..];
        }
        passed
    }

    /// What is due now.
    async fn due(answers: &mut DelayedPingAcks) -> Option<Vec<u8>> {
        std::future::poll_fn(|cx| std::task::Poll::Ready(answers.due(cx).map(<[u8]>::to_vec))).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_held_and_then_due_once() {
        let mut answers = DelayedPingAcks::server();
        assert_eq!(answers.next(&answer()), Part::Held(ACK_SIZE));
        assert_eq!(due(&mut answers).await, None);
        tokio::time::advance(HOLD / 2).await;
        assert_eq!(answers.next(&answer()), Part::Held(ACK_SIZE));
        assert_eq!(due(&mut answers).await, None);
        // The first decides: no answer waits longer because of another.
        tokio::time::advance(HOLD / 2).await;
        let both = [answer(), answer()].concat();
        assert_eq!(due(&mut answers).await, Some(both));
        answers.answered(2 * ACK_SIZE);
        assert_eq!(due(&mut answers).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_is_woken_when_an_answer_is_due() {
        let mut answers = DelayedPingAcks::server();
        answers.next(&answer());
        let begun = Instant::now();
        std::future::poll_fn(|cx| match answers.due(cx) {
            Some(_) => std::task::Poll::Ready(()),
            None => std::task::Poll::Pending,
        })
        .await;
        assert_eq!(begun.elapsed(), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_interrupts_a_frame() {
        let mut answers = DelayedPingAcks::server();
        answers.next(&answer());
        tokio::time::advance(HOLD).await;
        let data = frame(0, b"payload");
        assert_eq!(answers.next(&data), Part::Pass(data.len()));
        answers.written(HEADER);
        assert_eq!(due(&mut answers).await, None);
        answers.written(data.len() - HEADER);
        assert_eq!(due(&mut answers).await, Some(answer()));
    }

    #[tokio::test]
    async fn what_only_looks_like_an_answer_passes() {
        let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        assert_eq!(preface.len(), PREFACE);
        let payload = frame(0, &answer());
        let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0], b"12345678".as_slice()].concat();
        preface.extend([payload, ping].concat());
        for step in [1, 9, 1_000] {
            let mut answers = DelayedPingAcks::client();
            assert_eq!(passed(&mut answers, &preface, step), preface);
            assert_eq!(answers.next(&answer()), Part::Held(ACK_SIZE));
        }
    }

    #[tokio::test]
    async fn no_more_is_held_than_a_host_could_mean() {
        let mut answers = DelayedPingAcks::server();
        let many = answer().repeat(1_000);
        let passed = passed(&mut answers, &many, many.len());
        assert_eq!(
            (passed.len(), answers.held.len()),
            (many.len() - MOST, MOST)
        );
    }

    proptest! {
        #[test]
        fn everything_else_passes_unchanged_and_in_order(
            frames in vec(prop_oneof![
                Just(None),
                (any::<u8>(), vec(any::<u8>(), 0..300)).prop_map(Some),
            ], 0..12),
            step in 1..400_usize,
        ) {
            let is_answer = |kind: u8, payload: &[u8]| frame(kind, payload).starts_with(&ACK);
            let (mut all, mut others) = (Vec::new(), Vec::new());
            for one in frames {
                match one {
                    None => all.extend(answer()),
                    Some((kind, payload)) if !is_answer(kind, &payload) => {
                        all.extend(frame(kind, &payload));
                        others.extend(frame(kind, &payload));
                    }
                    Some(_) => {}
                }
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let mut answers = DelayedPingAcks::server();
            assert_eq!(passed(&mut answers, &all, step), others);
            assert_eq!(answers.held.len(), all.len() - others.len());
        }
    }
}
