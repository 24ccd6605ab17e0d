//! When the process ends (docs/internals/protocol.md, "Life cycle").

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::Stream;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;
use tonic::Status;

use super::StartError;

/// Why the process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ShutdownReason {
    /// The host's broker stream ended without a `Shutdown` and did not come back.
    HostSilent,
    /// No host ever connected.
    NoHost,
    /// The host may give the next stream to a listener that it is not for.
    OutOfStep,
    /// The parent process died.
    ParentGone,
    /// The session, which the host opens once, has ended.
    SessionEnded,
    /// The host asked for it.
    Shutdown,
    /// SIGTERM.
    Terminated,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the first connection, counted from the handshake.
    pub connection: Duration,
    /// For a broken broker stream to come back.
    pub broker: Duration,
    /// For running work once the end has been decided; a host kills after 2 s.
    pub drain: Duration,
    /// Between two looks at the parent process.
    pub parent: Duration,
}

/// The decision to end, which is made once and heard everywhere.
#[derive(Clone)]
pub(super) struct Lifecycle {
    reason: watch::Sender<Option<ShutdownReason>>,
}

/// What can be seen of the host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct HostPresence {
    /// Whether there has been a connection.
    pub connected: bool,
    /// Whether there has been a broker stream.
    pub brokered: bool,
    /// How many broker streams are open.
    pub streams: usize,
}

impl ShutdownReason {
    /// The exit status: success if the end was asked for.
    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Self::Shutdown | Self::Terminated => ExitCode::SUCCESS,
            Self::HostSilent
            | Self::NoHost
            | Self::OutOfStep
            | Self::ParentGone
            | Self::SessionEnded => ExitCode::FAILURE,
        }
    }
}

impl Display for ShutdownReason {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HostSilent => "the host broke the broker stream and did not open it again",
            Self::NoHost => "no host connected",
            Self::OutOfStep => "a stream and the host's listener for it may have missed each other",
            Self::ParentGone => "the host process is gone",
            Self::SessionEnded => "the host's connection ended, and it makes only one",
            Self::Shutdown => "the host asked to shut down",
            Self::Terminated => "SIGTERM",
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection: Duration::from_secs(60),
            broker: Duration::from_secs(10),
            drain: Duration::from_millis(1500),
            parent: Duration::from_secs(2),
        }
    }
}

impl Lifecycle {
    /// Nothing has been decided.
    pub(super) fn new() -> Self {
        Self {
            reason: watch::Sender::new(None),
        }
    }

    /// Decides to end; only the first reason counts.
    pub(super) fn stop(&self, reason: ShutdownReason) {
        self.reason.send_if_modified(|decided| {
            let first = decided.is_none();
            decided.get_or_insert(reason);
            first
        });
    }

    /// Whether the end has been decided.
    pub(super) fn is_stopping(&self) -> bool {
        self.reason.borrow().is_some()
    }

    /// Waits for the decision.
    pub(super) async fn stopped(&self) -> ShutdownReason {
        let mut decision = self.reason.subscribe();
        match decision
            .wait_for(Option::is_some)
            .await
            .map(|reason| *reason)
        {
            Ok(Some(reason)) => reason,
            // The sender lives in `self`.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// A response stream that begins with `first`, then stays open in silence, and ends when the process does.
    pub(super) fn idle_stream<T: Send + 'static>(
        &self,
        first: Option<T>,
    ) -> impl Stream<Item = Result<T, Status>> + Send + 'static {
        let lifecycle = self.clone();
        let silence = stream::pending().take_until(async move { lifecycle.stopped().await });
        stream::iter(first.map(Ok)).chain(silence)
    }

    /// Watches the host and ends the process when it seems gone.
    pub(super) async fn watch_host(
        self,
        mut contact: watch::Receiver<HostPresence>,
        limits: Limits,
    ) {
        if !seen(&mut contact, limits.connection, |contact| contact.connected).await {
            return self.stop(ShutdownReason::NoHost);
        }
        while contact
            .wait_for(|contact| contact.brokered && contact.streams == 0)
            .await
            .is_ok()
        {
            if !seen(&mut contact, limits.broker, |contact| contact.streams > 0).await {
                return self.stop(ShutdownReason::HostSilent);
            }
        }
    }

    /// Watches the parent process, unless there is none to watch, as for the first process of a container.
    pub(super) async fn watch_parent(self, limits: Limits) {
        let parent = parent_id();
        if parent <= 1 {
            return;
        }
        let mut ticks = tokio::time::interval(limits.parent);
        while parent_id() == parent {
            ticks.tick().await;
        }
        self.stop(ShutdownReason::ParentGone);
    }

    /// Handles signals: SIGTERM ends the process; SIGINT and SIGHUP, which a terminal or an operator
    /// sends to the host and its plugins alike, do nothing.
    ///
    /// # Errors
    ///
    /// The handlers cannot be installed.
    pub(super) fn handle_signals(&self) -> Result<(), StartError> {
        let install = |kind| signal(kind).map_err(StartError::Signals);
        let mut terminate = install(SignalKind::terminate())?;
        let ignored: [Signal; 2] = [
            install(SignalKind::interrupt())?,
            install(SignalKind::hangup())?,
        ];
        let lifecycle = self.clone();
        tokio::spawn(async move {
            let _ignored = ignored;
            if terminate.recv().await.is_some() {
                lifecycle.stop(ShutdownReason::Terminated);
            }
        });
        Ok(())
    }
}

/// Whether `sight` comes true within `limit`.
async fn seen(
    contact: &mut watch::Receiver<HostPresence>,
    limit: Duration,
    sight: fn(&HostPresence) -> bool,
) -> bool {
    matches!(
        tokio::time::timeout(limit, contact.wait_for(sight)).await,
        Ok(Ok(_))
    )
}
