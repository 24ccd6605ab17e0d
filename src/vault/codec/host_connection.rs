//! The connection to the host's side of one mount.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;
use tonic::transport::Channel;

/// Makes a channel to the host, which connects on its first call and again whenever it was cut.
pub type Connect = Box<dyn Fn() -> Channel + Send + Sync>;

/// The connection to the host's storage, system view and event service of one mount.
///
/// It is made at the first call, so that an unused mount holds no connection.  Every call
/// has a time limit, and [`HostConnection::close`] ends those that run, so that nothing hangs for ever.
pub struct HostConnection {
    connect: Connect,
    state: watch::Sender<State>,
    running: watch::Sender<usize>,
}

#[derive(Clone)]
enum State {
    Idle,
    Open(Channel),
    Closed,
}

impl HostConnection {
    /// A connection that is not open yet.
    pub fn new(connect: Connect) -> Arc<Self> {
        Arc::new(Self {
            connect,
            state: watch::Sender::new(State::Idle),
            running: watch::Sender::new(0),
        })
    }

    /// Ends the calls that run and drops the connection; when this returns, no call runs any more and
    /// none will.
    pub async fn close(&self) {
        self.state.send_replace(State::Closed);
        // The sender lives in `self`, so the wait ends only because of the condition.
        let _ = self
            .running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await;
    }

    /// Runs one call.  If the connection breaks meanwhile it is made a second time, on a new one;
    /// hence only for calls that may be repeated.
    ///
    /// # Errors
    ///
    /// The host's status, or one of ours: `UNAVAILABLE` for a broken connection or a closed connection and
    /// `DEADLINE_EXCEEDED` when the host did not answer within `limit`.
    pub async fn call<T, F>(
        &self,
        limit: Duration,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let _running = Running::new(&self.running);
        let attempts = async {
            match call(self.channel()?).await {
                Err(status) if is_broken(&status) => call(self.channel()?).await,
                other => other,
            }
        };
        tokio::select! {
            biased;
            () = self.closed() => Err(closed()),
            answer = tokio::time::timeout(limit, attempts) => match answer {
                Ok(answer) => answer.map(tonic::Response::into_inner).map_err(plain),
                Err(_) => Err(Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs()))),
            },
        }
    }

    fn channel(&self) -> Result<Channel, Status> {
        self.state.send_if_modified(|state| match state {
            State::Idle => {
                *state = State::Open((self.connect)());
                true
            }
            State::Open(_) | State::Closed => false,
        });
        match &*self.state.borrow() {
            State::Open(channel) => Ok(channel.clone()),
            State::Idle | State::Closed => Err(closed()),
        }
    }

    async fn closed(&self) {
        // The sender lives in `self`, so the wait ends only because of the condition.
        let _ = self
            .state
            .subscribe()
            .wait_for(|state| matches!(state, State::Closed))
            .await;
    }
}

/// Counts a call as running for as long as it exists.
struct Running<'a>(&'a watch::Sender<usize>);

impl<'a> Running<'a> {
    fn new(running: &'a watch::Sender<usize>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

fn closed() -> Status {
    Status::unavailable("the mount is going away")
}

/// Whether the connection failed, rather than the host answered: only then there is a cause.
fn is_broken(status: &Status) -> bool {
    status.source().is_some()
}

/// A broken connection has many codes; callers see one.
fn plain(status: Status) -> Status {
    if is_broken(&status) {
        Status::unavailable(status.message())
    } else {
        status
    }
}
