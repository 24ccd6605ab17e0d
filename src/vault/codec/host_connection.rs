//! The connection to the host's side of one mount.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
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
    channel: Mutex<Option<Channel>>,
    closed: CancellationToken,
    calls: TaskTracker,
}

impl HostConnection {
    /// A connection that is not open yet.
    pub fn new(connect: Connect) -> Arc<Self> {
        let calls = TaskTracker::new();
        // Only a closed tracker can be waited for; it counts further calls all the same.
        calls.close();
        Arc::new(Self {
            connect,
            channel: Mutex::new(None),
            closed: CancellationToken::new(),
            calls,
        })
    }

    /// Ends the calls that run and drops the connection; when this returns, no call runs any more and
    /// none will.
    pub async fn close(&self) {
        self.closed.cancel();
        *self.channel.lock() = None;
        self.calls.wait().await;
    }

    /// Runs one call.  If the connection breaks meanwhile it is made a second time, on a new one;
    /// so only for calls that may be repeated.
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
        let _call = self.calls.token();
        let attempts = async {
            match call(self.channel()?).await {
                Err(status) if is_broken(&status) => call(self.channel()?).await,
                other => other,
            }
        };
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(closed()),
            answer = tokio::time::timeout(limit, attempts) => match answer {
                Ok(answer) => answer.map(tonic::Response::into_inner).map_err(plain),
                Err(_) => Err(Status::deadline_exceeded(format!("no answer within \
                    {}s", limit.as_secs()))),
            },
        }
    }

    fn channel(&self) -> Result<Channel, Status> {
        let mut channel = self.channel.lock();
        // Under the lock: `close` finds every channel that was made before it.
        if self.closed.is_cancelled() {
            return Err(closed());
        }
        Ok(channel.get_or_insert_with(|| (self.connect)()).clone())
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
