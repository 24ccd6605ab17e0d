//! The server to which one mount of the plugin dials back.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use tokio::net::UnixListener;
use tokio::task::AbortHandle;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;
use vault_plugin_secrets_astra::proto::pb::events_server::EventsServer;
use vault_plugin_secrets_astra::proto::pb::storage_server::StorageServer;
use vault_plugin_secrets_astra::proto::pb::system_view_server::SystemViewServer;

use super::Events;
use super::Identity;
use super::Storage;
use super::System;
use super::session::Bytes;
use super::session::Listener;
use super::storage;
use super::system;
use super::tls;

/// A listener with storage, system view and events of one mount behind it.  It stops when dropped.
pub(crate) struct Brokered {
    /// Where its socket is, if it has one.
    address: Option<PathBuf>,
    state: Arc<State>,
    listener: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    connections: Mutex<Vec<AbortHandle>>,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

/// What is behind the socket.
#[derive(Clone)]
pub(crate) struct Services {
    pub storage: Arc<Storage>,
    pub system: Arc<System>,
    pub events: Events,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            storage: Storage::new(),
            system: System::new(),
            events: Events::default(),
        }
    }
}

impl Brokered {
    /// Listens at `address`, shows the certificate of `identity` and admits `plugin` only.
    pub(crate) fn listen(
        address: PathBuf,
        identity: &Identity,
        plugin: CertificateDer<'static>,
        services: Services,
    ) -> Self {
        let socket = UnixListener::bind(&address).unwrap();
        let (state, server) = BrokeredServer::new(identity, plugin, services);
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                server.start(stream);
            }
        });
        Self {
            address: Some(address),
            state,
            listener,
        }
    }

    /// The same behind a session.
    pub(crate) fn behind(
        streams: Listener,
        identity: &Identity,
        plugin: CertificateDer<'static>,
        services: Services,
    ) -> Self {
        let (state, server) = BrokeredServer::new(identity, plugin, services);
        let listener = tokio::spawn(async move {
            loop {
                server.start(streams.accept().await);
            }
        });
        Self {
            address: None,
            state,
            listener,
        }
    }

    pub(crate) fn address(&self) -> Option<String> {
        let address = self.address.as_ref()?;
        Some(address.to_str().unwrap().to_owned())
    }

    /// How many connections were accepted, mutual TLS included.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// How many connections failed in TLS.
    pub(crate) fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        let connections = self.state.connections.lock();
        connections
            .iter()
            .filter(|task| !task.is_finished())
            .count()
    }

    /// The certificate that the plugin showed last.
    pub(crate) fn shown(&self) -> Option<CertificateDer<'static>> {
        self.state.shown.lock().clone()
    }

    /// Cuts every connection; new ones are welcome.
    pub(crate) fn cut(&self) {
        for connection in self.state.connections.lock().drain(..) {
            connection.abort();
        }
    }

    /// Cuts every connection and listens no more.
    pub(crate) fn close(&self) {
        self.listener.abort();
        if let Some(address) = &self.address {
            let _ = std::fs::remove_file(address);
        }
        self.cut();
    }
}

impl Drop for Brokered {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where the plugin is let in.
struct BrokeredServer {
    acceptor: TlsAcceptor,
    routes: Routes,
    state: Arc<State>,
}

impl BrokeredServer {
    fn new(
        identity: &Identity,
        plugin: CertificateDer<'static>,
        services: Services,
    ) -> (Arc<State>, Self) {
        let state = Arc::new(State::default());
        let routes = Routes::default()
            .add_service(
                StorageServer::new(storage::Served(services.storage))
                    .max_decoding_message_size(usize::MAX)
                    .max_encoding_message_size(usize::MAX),
            )
            .add_service(SystemViewServer::new(system::Served(services.system)))
            .add_service(EventsServer::new(services.events));
        let server = Self {
            acceptor: tls::acceptor(identity, plugin),
            routes,
            state: state.clone(),
        };
        (state, server)
    }

    fn start(&self, stream: impl Bytes + 'static) {
        let connection = serve(
            self.acceptor.clone(),
            stream,
            self.routes.clone(),
            self.state.clone(),
        );
        let task = tokio::spawn(connection);
        let mut connections = self.state.connections.lock();
        connections.push(task.abort_handle());
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: impl Bytes + 'static,
    routes: Routes,
    state: Arc<State>,
) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        // A peer that hangs up as soon as it has seen our certificate is not refused.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ) =>
        {
            return;
        }
        Err(_) => {
            state.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
    };
    let session = stream.get_ref().1;
    let shown = session
        .peer_certificates()
        .and_then(|chain| chain.first().cloned());
    let h2 = session.alpn_protocol() == Some(b"h2");
    *state.shown.lock() = shown;
    if !h2 {
        // grpc-go closes a connection without ALPN.
        state.refused.fetch_add(1, Ordering::SeqCst);
        return;
    }
    state.accepted.fetch_add(1, Ordering::SeqCst);
    let service = TowerToHyperService::new(routes);
    let _ = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
