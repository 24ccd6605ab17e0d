//! Connections from the host: accepted, authenticated, and only then served.  In a container they are
//! streams of one session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::host_stream::HostStream;
use super::lifecycle::HostPresence;
use super::lifecycle::Lifecycle;
use super::lifecycle::ShutdownReason;
use super::session;
use super::session::Commands;
use super::tls::ALPN;
use super::wire::Wire;

/// How long a peer may take to authenticate.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait when the system refuses to accept, for instance for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// An authenticated connection from the host.
pub(super) type Connection = HostStream<TlsStream<Wire>>;

/// Accepts connections until the stream is dropped.
pub(super) fn connections(
    listener: UnixListener,
    tls: Arc<ServerConfig>,
    contact: watch::Sender<HostPresence>,
) -> ReceiverStream<io::Result<Connection>> {
    let (authenticator, receiver) = Authenticator::new(tls, contact);
    tokio::spawn(async move {
        while let Some(socket) = accept(&listener, &authenticator).await {
            authenticator.clone().start(Wire::Socket(socket));
        }
    });
    ReceiverStream::new(receiver)
}

/// Accepts the streams of one session, that of the first connection, until the stream is dropped; the
/// session goes on until it is closed.  Its end is the end of the process: a host makes only one.
pub(super) fn session_streams(
    listener: UnixListener,
    tls: Arc<ServerConfig>,
    contact: watch::Sender<HostPresence>,
    commands: Commands,
    lifecycle: Lifecycle,
) -> ReceiverStream<io::Result<Connection>> {
    let (authenticator, receiver) = Authenticator::new(tls, contact);
    tokio::spawn(async move {
        let Some(socket) = accept(&listener, &authenticator).await else {
            return;
        };
        let streams = authenticator.clone();
        tokio::spawn(async move {
            session::drive(socket, commands, |stream| {
                streams.clone().start(Wire::Stream(stream));
            })
            .await;
            lifecycle.stop(ShutdownReason::SessionEnded);
        });
        while let Some(socket) = accept(&listener, &authenticator).await {
            drop(socket);
            tracing::debug!("a second connection was closed: the session has its own");
        }
    });
    ReceiverStream::new(receiver)
}

/// The next connection, or `None` once nothing is served any more.
async fn accept(listener: &UnixListener, authenticator: &Authenticator) -> Option<UnixStream> {
    loop {
        let accepted = tokio::select! {
            () = authenticator.sender.closed() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => return Some(socket),
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Where peers are authenticated.
#[derive(Clone)]
struct Authenticator {
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<io::Result<Connection>>,
    contact: watch::Sender<HostPresence>,
}

impl Authenticator {
    fn new(
        tls: Arc<ServerConfig>,
        contact: watch::Sender<HostPresence>,
    ) -> (Self, mpsc::Receiver<io::Result<Connection>>) {
        let (sender, receiver) = mpsc::channel(1);
        let acceptor = TlsAcceptor::from(tls);
        let authenticator = Self {
            acceptor,
            sender,
            contact,
        };
        (authenticator, receiver)
    }

    /// Authenticates a peer in a task of its own, and passes it on if it is the host.
    fn start(self, wire: Wire) {
        tokio::spawn(self.authenticate(wire));
    }

    async fn authenticate(self, wire: Wire) {
        let stream = match tokio::time::timeout(TIME_LIMIT, self.acceptor.accept(wire)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return tracing::warn!(%error, "a peer that is not the host was turned away");
            }
            Err(_) => {
                return tracing::warn!("a peer did not authenticate in time and was turned away");
            }
        };
        // A client that offers no protocol at all passes the handshake.
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return tracing::warn!("a peer that does not speak HTTP/2 was turned away");
        }
        self.contact.send_modify(|contact| contact.connected = true);
        // If the receiver is gone, the process is ending.
        let _ = self.sender.send(Ok(HostStream::server(stream))).await;
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
