//! Connections from the host: accepted, authenticated, and only then served.

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

use super::coalesce::Coalescing;
use super::lifecycle::HostPresence;
use super::tls::ALPN;

/// How long a peer may take to authenticate.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait when the system refuses to accept, for instance for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// An authenticated connection from the host.
pub(super) type Connection = Coalescing<TlsStream<UnixStream>>;

/// Accepts connections until the stream is dropped.
pub(super) fn connections(
    listener: UnixListener,
    tls: Arc<ServerConfig>,
    contact: watch::Sender<HostPresence>,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(tls);
        loop {
            let accepted = tokio::select! {
                () = sender.closed() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(authenticate(
                        acceptor.clone(),
                        stream,
                        sender.clone(),
                        contact.clone(),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn authenticate(
    acceptor: TlsAcceptor,
    stream: UnixStream,
    sender: mpsc::Sender<io::Result<Connection>>,
    contact: watch::Sender<HostPresence>,
) {
    let stream = match tokio::time::timeout(TIME_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return tracing::warn!(%error, "a peer that is not the host was turned away");
        }
        Err(_) => return tracing::warn!("a peer did not authenticate in time and was turned away"),
    };
    // A client that offers no protocol at all passes the handshake.
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return tracing::warn!("a peer that does not speak HTTP/2 was turned away");
    }
    contact.send_modify(|contact| contact.connected = true);
    // If the receiver is gone, the process is ending.
    let _ = sender.send(Ok(Coalescing::server(stream))).await;
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
