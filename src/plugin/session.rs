//! One connection that carries many streams, as hosts want it of containers: yamux, on which the plugin
//! is the server (docs/internals/protocol.md, "Containers").

use std::future::poll_fn;
use std::io;
use std::task::Context;
use std::task::Poll;

use tokio::io::BufWriter;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::compat::Compat;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use yamux::Config;
use yamux::Connection;
use yamux::ConnectionError;
use yamux::Mode;

/// How many streams a session may have.  A host opens one, and each dial of the plugin is one more.
const STREAM_LIMIT: usize = 1_024;

/// A frame is a header and up to 16 KiB: together they make one write.
const WRITE_BUFFER: usize = 32 * 1_024;

/// One stream of a session.
pub(super) type SessionStream = Compat<yamux::Stream>;

/// A session that may not have begun yet.
#[derive(Clone)]
pub(super) struct Session {
    commands: mpsc::Sender<Command>,
}

/// What a session is asked to do, for the task that drives it.
pub(super) struct Commands(mpsc::Receiver<Command>);

enum Command {
    Open(oneshot::Sender<io::Result<SessionStream>>),
    Close(oneshot::Sender<()>),
}

enum Event {
    Accepted(yamux::Stream),
    Asked(Command),
    Ended(Option<ConnectionError>),
    Opened(Result<yamux::Stream, ConnectionError>),
}

impl Session {
    /// A session, and what [`drive`] needs to begin it.
    pub(super) fn new() -> (Self, Commands) {
        let (sender, receiver) = mpsc::channel(16);
        (Self { commands: sender }, Commands(receiver))
    }

    /// A new stream towards the host, which learns of it with the first byte that is sent.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub(super) async fn open(&self) -> io::Result<SessionStream> {
        let (sender, receiver) = oneshot::channel();
        self.commands
            .send(Command::Open(sender))
            .await
            .map_err(|_| ended())?;
        receiver.await.map_err(|_| ended())?
    }

    /// Sends what is still to be sent and ends the session.
    pub(super) async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.commands.send(Command::Close(sender)).await.is_ok() {
            // Without an answer it has ended by itself.
            let _ = receiver.await;
        }
    }
}

/// Runs the session over `socket` until it ends; each stream that the host opens goes to `accepted`.
pub(super) async fn drive(
    socket: UnixStream,
    mut commands: Commands,
    accepted: impl Fn(SessionStream),
) {
    let mut config = Config::default();
    config.set_max_num_streams(STREAM_LIMIT);
    let socket = BufWriter::with_capacity(WRITE_BUFFER, socket);
    let mut connection = Connection::new(socket.compat(), config, Mode::Server);
    let mut opening = None;
    loop {
        let event = poll_fn(|cx| next(&mut connection, &mut commands, opening.is_some(), cx)).await;
        match event {
            Event::Accepted(stream) => accepted(stream.compat()),
            Event::Asked(Command::Open(answer)) => opening = Some(answer),
            Event::Asked(Command::Close(answer)) => {
                // The host may be gone, and the process ends either way.
                let _ = poll_fn(|cx| connection.poll_close(cx)).await;
                let _ = answer.send(());
                return;
            }
            Event::Opened(stream) => {
                if let Some(answer) = opening.take() {
                    // A caller that no longer waits drops the stream, which resets it.
                    let _ =
                        answer.send(stream.map(yamux::Stream::compat).map_err(io::Error::other));
                }
            }
            Event::Ended(error) => {
                tracing::debug!(?error, "the session with the host ended");
                return;
            }
        }
    }
}

/// What comes next.  The connection is polled in any case: only then it reads and writes.
fn next(
    connection: &mut Connection<Compat<BufWriter<UnixStream>>>,
    commands: &mut Commands,
    opening: bool,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    if opening && let Poll::Ready(stream) = connection.poll_new_outbound(cx) {
        return Poll::Ready(Event::Opened(stream));
    }
    match connection.poll_next_inbound(cx) {
        Poll::Ready(Some(Ok(stream))) => return Poll::Ready(Event::Accepted(stream)),
        Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Ended(Some(error))),
        Poll::Ready(None) => return Poll::Ready(Event::Ended(None)),
        Poll::Pending => {}
    }
    if !opening && let Poll::Ready(Some(command)) = commands.0.poll_recv(cx) {
        return Poll::Ready(Event::Asked(command));
    }
    Poll::Pending
}

fn ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the session with the host has ended",
    )
}
