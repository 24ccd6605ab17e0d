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
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic::transport::Uri;

use super::certificate::SERVER_NAME;
use super::coalesce::Coalescing;
use crate::proto::plugin::ConnInfo;

/// How long a connection may take; the host is on the same machine.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where and how to dial one mount's side of the host.
#[derive(Clone)]
pub(super) struct Dialer {
    socket: PathBuf,
    tls: Arc<ClientConfig>,
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
                socket: announcement.address.into(),
                tls,
            }),
            other => Err(format!(
                "the host listens on the network `{other}`, this plugin dials unix sockets only"
            )),
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
                    Ok::<_, io::Error>(TokioIo::new(Coalescing::client(stream)))
                }
            },
        ))
    }

    async fn dial(&self) -> io::Result<TlsStream<UnixStream>> {
        let dial = async {
            let stream = UnixStream::connect(&self.socket).await?;
            let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
            TlsConnector::from(Arc::clone(&self.tls))
                .connect(name, stream)
                .await
        };
        tokio::time::timeout(TIME_LIMIT, dial).await?
    }
}
