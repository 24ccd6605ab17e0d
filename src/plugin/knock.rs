//! Knocking: asking the host to take the session's next stream for one of its listeners
//! (docs/internals/protocol.md, "Containers").

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::lifecycle::Lifecycle;
use super::lifecycle::ShutdownReason;
use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::conn_info::Knock;

/// How long the host may take to answer a knock.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How often a refused knock is repeated, and after what pause: a host hears knocks for a listener a
/// moment before it has that listener.
const REPEATS: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// The knocks of one process.
#[derive(Clone)]
pub(super) struct Knocks(Arc<State>);

struct State {
    /// One dial at a time, from its knock to the end of its TLS handshake: a host gives each stream to
    /// whichever listener waits longest, no matter who it was opened for.
    turn: tokio::sync::Mutex<()>,
    /// Our half of the newest broker stream.
    outgoing: Mutex<Option<mpsc::UnboundedSender<ConnInfo>>>,
    awaited: Mutex<Option<Awaited>>,
    lifecycle: Lifecycle,
}

/// The knock that waits for its answer.
struct Awaited {
    id: u32,
    answer: oneshot::Sender<Result<(), String>>,
}

/// The right to dial.
pub(super) struct Turn<'a> {
    state: &'a State,
    _guard: MutexGuard<'a, ()>,
}

/// A listener of the host that takes the next stream.  If this is dropped before that happened, the
/// listener would take a later one, so the process ends.
#[must_use]
pub(super) struct Acknowledged<'a> {
    turn: Turn<'a>,
    id: u32,
    taken: bool,
}

impl Knocks {
    /// Nothing has been asked.
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self(Arc::new(State {
            turn: tokio::sync::Mutex::default(),
            outgoing: Mutex::default(),
            awaited: Mutex::default(),
            lifecycle,
        }))
    }

    /// What to send on a new broker stream; from now on it is the one that is used.
    pub(super) fn outgoing(&self) -> mpsc::UnboundedReceiver<ConnInfo> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.0.outgoing.lock() = Some(sender);
        receiver
    }

    /// Takes what the host said of a knock for its listener `id`.
    pub(super) fn answered(&self, id: u32, knock: Knock) {
        if !knock.ack {
            return tracing::debug!(id, "the host knocked, though nothing listens here");
        }
        let refusal = Some(knock.error).filter(|error| !error.is_empty());
        let accepted = refusal.is_none();
        let answer = refusal.map_or(Ok(()), Err);
        let awaited = {
            let mut awaited = self.0.awaited.lock();
            awaited.take_if(|awaited| awaited.id == id)
        };
        let heard = awaited.is_some_and(|awaited| awaited.answer.send(answer).is_ok());
        if accepted && !heard {
            self.0.out_of_step(id);
        }
    }

    /// Waits for the turn.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn {
            _guard: self.0.turn.lock().await,
            state: &self.0,
        }
    }
}

impl State {
    fn out_of_step(&self, id: u32) {
        if !self.lifecycle.is_stopping() {
            tracing::error!(
                id,
                "the host's listener was opened and got no stream; the process ends, so that it \
                 cannot get another's"
            );
        }
        self.lifecycle.stop(ShutdownReason::OutOfStep);
    }

    /// Sends one knock and waits for its answer, which may be a refusal.
    async fn ask(&self, id: u32) -> io::Result<Result<(), String>> {
        let (sender, receiver) = oneshot::channel();
        *self.awaited.lock() = Some(Awaited { id, answer: sender });
        let knock = ConnInfo {
            service_id: id,
            knock: Some(Knock {
                knock: true,
                ..Knock::default()
            }),
            ..ConnInfo::default()
        };
        let sent = match &*self.outgoing.lock() {
            Some(outgoing) => outgoing.send(knock).is_ok(),
            None => false,
        };
        if !sent {
            self.awaited.lock().take();
            return Err(io::Error::other("the host keeps no broker stream open"));
        }
        let answer = tokio::time::timeout(ANSWER_LIMIT, receiver).await;
        self.awaited.lock().take();
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            // The sender is dropped by a later knock only, which waits for the turn.
            Ok(Err(_)) | Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the host did not answer the knock for its listener {id} within {}s",
                    ANSWER_LIMIT.as_secs()
                ),
            )),
        }
    }
}

impl<'a> Turn<'a> {
    /// Asks the host to give the next stream to its listener `id`.
    ///
    /// # Errors
    ///
    /// It has no such listener, does not answer, or keeps no broker stream.
    pub(super) async fn knock(self, id: u32) -> io::Result<Acknowledged<'a>> {
        let mut repeats = 0..REPEATS;
        loop {
            match self.state.ask(id).await? {
                Ok(()) => {
                    return Ok(Acknowledged {
                        turn: self,
                        id,
                        taken: false,
                    });
                }
                Err(_) if repeats.next().is_some() => tokio::time::sleep(PAUSE).await,
                Err(refusal) => {
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionRefused,
                        format!("the host refused the knock for its listener {id}: {refusal}"),
                    ));
                }
            }
        }
    }
}

impl Acknowledged<'_> {
    /// The listener has taken the stream.
    pub(super) fn taken(mut self) {
        self.taken = true;
    }
}

impl Drop for Acknowledged<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.turn.state.out_of_step(self.id);
        }
    }
}
