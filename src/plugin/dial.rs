//! Dialling the host back, for storage, system view and events of one mount.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic::transport::Uri;

use super::certificate::SERVER_NAME;
use super::host_stream::HostStream;
use super::knock::Knocks;
use super::knock::Turn;
use super::session::Session;
use super::wire::Wire;
use crate::proto::plugin::ConnInfo;

/// How long a connection may take; the host is on the same machine.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long a stream of the session may take from the host's answer to the end of its TLS handshake.
const STREAM_LIMIT: Duration = Duration::from_secs(10);

/// How long a caller waits for a stream of the session, the turns of others before it included.
const CALLER_LIMIT: Duration = Duration::from_secs(30);

/// Where and how to dial one mount's side of the host.
#[derive(Clone)]
pub(super) struct Dialer {
    place: Place,
    tls: Arc<ClientConfig>,
}

#[derive(Clone)]
enum Place {
    Socket(PathBuf),
    Listener(u32, Knocks, Session),
}

impl Dialer {
    /// A dialer for what the host announced.
    ///
    /// # Errors
    ///
    /// The host wants something else than a unix socket.
    pub(super) fn new(announcement: ConnInfo, tls: Arc<ClientConfig>) -> Result<Self, String> {
        match announcement.network.as_str() {
            "unix" => Ok(Self {
                place: Place::Socket(announcement.address.into()),
                tls,
            }),
            other => Err(format!(
                "the host listens on the network `{other}`, this plugin dials unix sockets only"
            )),
        }
    }

    /// A dialer for the host's listener `id` behind the session.
    pub(super) fn through(
        session: Session,
        knocks: Knocks,
        id: u32,
        tls: Arc<ClientConfig>,
    ) -> Self {
        Self {
            place: Place::Listener(id, knocks, session),
            tls,
        }
    }

    /// Dials once to see whether the host is there and who it claims to be, and hangs up.
    ///
    /// # Errors
    ///
    /// There is no listener, or it is not the host.
    pub(super) async fn probe(&self) -> io::Result<()> {
        let mut stream = self.dial().await?;
        stream.shutdown().await
    }

    /// A channel that dials at its first call, and again whenever the connection was cut.
    pub(super) fn channel(self) -> Channel {
        // TLS is ours: the address only tells the HTTP layer the name, and not to add TLS of its own.
        // No keep-alive and no adaptive window: hosts close connections that ping them often.
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(tower::service_fn(
            move |_: Uri| {
                let dialer = self.clone();
                async move {
                    let stream = dialer.dial().await?;
                    Ok::<_, io::Error>(TokioIo::new(HostStream::client(stream)))
                }
            },
        ))
    }

    async fn dial(&self) -> io::Result<TlsStream<Wire>> {
        match &self.place {
            Place::Socket(socket) => {
                let dial = async {
                    let stream = UnixStream::connect(socket).await?;
                    connect(&self.tls, Wire::Socket(stream)).await
                };
                tokio::time::timeout(TIME_LIMIT, dial).await?
            }
            Place::Listener(id, knocks, session) => {
                let dialled = self.dial_listener(*id, knocks.clone(), session.clone());
                match tokio::time::timeout(CALLER_LIMIT, dialled).await? {
                    Ok(stream) => stream,
                    // The task has panicked, or the process is ending.
                    Err(error) => Err(io::Error::other(error)),
                }
            }
        }
    }

    /// Dials in a task of its own: once the host has answered a knock, the stream must come, though the
    /// caller may be gone.
    fn dial_listener(
        &self,
        id: u32,
        knocks: Knocks,
        session: Session,
    ) -> oneshot::Receiver<io::Result<TlsStream<Wire>>> {
        let (mut sender, receiver) = oneshot::channel();
        let tls = Arc::clone(&self.tls);
        tokio::spawn(async move {
            let turn = tokio::select! {
                turn = knocks.turn() => turn,
                () = sender.closed() => return,
            };
            let dialled = knock_and_connect(turn, id, &session, &tls).await;
            // Without a caller the stream is closed again; the host's listener has had it.
            let _ = sender.send(dialled);
        });
        receiver
    }
}

async fn knock_and_connect(
    turn: Turn<'_>,
    id: u32,
    session: &Session,
    tls: &Arc<ClientConfig>,
) -> io::Result<TlsStream<Wire>> {
    let acknowledged = turn.knock(id).await?;
    let connected = async {
        let stream = session.open().await?;
        connect(tls, Wire::Stream(stream)).await
    };
    let stream = tokio::time::timeout(STREAM_LIMIT, connected).await??;
    acknowledged.taken();
    Ok(stream)
}

async fn connect(tls: &Arc<ClientConfig>, wire: Wire) -> io::Result<TlsStream<Wire>> {
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(tls))
        .connect(name, wire)
        .await
}
