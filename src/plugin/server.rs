//! The gRPC server of one plugin process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustls::ClientConfig;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tower::util::MapResponseLayer;

use super::backend::BackendService;
use super::broker::Broker;
use super::certificate::Identity;
use super::delivery::track_delivery;
use super::environment::OneSocket;
use super::instance::Registry;
use super::lifecycle::HostPresence;
use super::lifecycle::Lifecycle;
use super::lifecycle::Limits;
use super::lifecycle::ShutdownReason;
use super::listener::Connection;
use super::listener::connections;
use super::listener::session_streams;
use super::services::Controller;
use super::services::HealthCheck;
use super::services::Multiplexing;
use super::services::Stdio;
use super::services::Version;
use super::session::Session;
use super::tasks::Tasks;
use super::tls;
use crate::proto::grpc::health::v1::health_server::HealthServer;
use crate::proto::logical::plugin_version_server::PluginVersionServer;
use crate::proto::pb::backend_server::BackendServer;
use crate::proto::plugin::grpc_broker_server::GrpcBrokerServer;
use crate::proto::plugin::grpc_controller_server::GrpcControllerServer;
use crate::proto::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::proto::pluginutil::multiplexing::plugin_multiplexing_server::PluginMultiplexingServer;
use crate::vault::Factory;

/// The host limits messages to this itself.
const MESSAGE_LIMIT: usize = i32::MAX as usize;

/// A mount has no limit of its own on concurrent requests, and hundreds of revocations may come at
/// once.  Libraries think of a few hundred streams.
const STREAM_LIMIT: u32 = 1 << 16;

/// Requests whose callers gave up may pile up before a busy process looks at them; the library takes
/// more than 20 for an attack and hangs up.
const RESET_LIMIT: usize = 1 << 16;

/// Flow-control windows that let usual messages pass without waiting, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 22;

/// Everything that one process serves with.
pub(super) struct PluginServer<F> {
    factory: Arc<F>,
    server_tls: Arc<ServerConfig>,
    client_tls: Arc<ClientConfig>,
    lifecycle: Lifecycle,
    limits: Limits,
    one_socket: OneSocket,
}

impl<F: Factory> PluginServer<F> {
    /// A server that knows itself by `identity` and its host by `host`.
    ///
    /// # Errors
    ///
    /// The TLS library does not accept the certificate.
    pub(super) fn new(
        factory: F,
        identity: &Identity,
        host: &CertificateDer<'static>,
        limits: Limits,
        one_socket: OneSocket,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            factory: Arc::new(factory),
            server_tls: Arc::new(tls::server_config(identity, host)?),
            client_tls: Arc::new(tls::client_config(identity, host)?),
            lifecycle: Lifecycle::new(),
            limits,
            one_socket,
        })
    }

    /// What ends it.
    pub(super) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Serves until the life cycle ends, finishes running work within its limit, and tells why it ended.
    pub(super) async fn run(self, listener: UnixListener) -> ShutdownReason {
        let Self {
            factory,
            server_tls,
            client_tls,
            lifecycle,
            limits,
            one_socket,
        } = self;
        let tasks = Tasks::new();
        let contact = watch::Sender::new(HostPresence::default());
        tokio::spawn(lifecycle.clone().watch_host(contact.subscribe(), limits));
        tokio::spawn(lifecycle.clone().watch_parent(limits));

        let broker = Broker::new(contact.clone(), lifecycle.clone());
        let (session, incoming, registry) =
            accept(one_socket, listener, server_tls, contact, &lifecycle);
        let registry = Arc::new(registry);
        let multiplexing = Multiplexing {
            supported: session.is_none(),
        };
        let version = Version(factory.version());
        let backend = BackendService {
            factory,
            registry: Arc::clone(&registry),
            broker: broker.clone(),
            session: session.clone(),
            tls: client_tls,
            tasks: tasks.clone(),
        };
        let backend = BackendServer::new(backend)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let stop = lifecycle.clone();
        let serve = server()
            .layer(MapResponseLayer::new(track_delivery))
            .add_service(backend)
            .add_service(GrpcBrokerServer::new(broker))
            .add_service(GrpcControllerServer::new(Controller(lifecycle.clone())))
            .add_service(GrpcStdioServer::new(Stdio(lifecycle.clone())))
            .add_service(HealthServer::new(HealthCheck(lifecycle.clone())))
            .add_service(PluginMultiplexingServer::new(multiplexing))
            .add_service(PluginVersionServer::new(version))
            .serve_with_incoming_shutdown(incoming, async move {
                stop.stopped().await;
            });
        let served = tokio::spawn(serve);

        let reason = lifecycle.stopped().await;
        let running = Running {
            registry: &registry,
            served,
            tasks,
            session,
        };
        let drained = running.drain(limits.drain);
        if tokio::time::timeout(limits.drain, drained).await.is_err() {
            tracing::warn!("work that still runs is abandoned");
        }
        reason
    }
}

/// The host's connections, the session where all of them go through one socket, and room for as many
/// instances as the host then uses.
fn accept(
    one_socket: OneSocket,
    listener: UnixListener,
    tls: Arc<ServerConfig>,
    contact: watch::Sender<HostPresence>,
    lifecycle: &Lifecycle,
) -> (
    Option<Session>,
    ReceiverStream<io::Result<Connection>>,
    Registry,
) {
    match one_socket {
        OneSocket::No => {
            let incoming = connections(listener, tls, contact);
            (None, incoming, Registry::many())
        }
        OneSocket::Yes => {
            let (session, commands) = Session::new();
            let incoming = session_streams(listener, tls, contact, commands, lifecycle.clone());
            (Some(session), incoming, Registry::one())
        }
    }
}

/// A server with the limits and windows that a plugin needs.
fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAM_LIMIT)
        .http2_max_pending_accept_reset_streams(Some(RESET_LIMIT))
        .http2_max_local_error_reset_streams(Some(RESET_LIMIT))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

/// What is at work when the life cycle ends.
struct Running<'a> {
    registry: &'a Registry,
    served: JoinHandle<Result<(), tonic::transport::Error>>,
    tasks: Tasks,
    session: Option<Session>,
}

impl Running<'_> {
    /// Ends the instances, each within `limit`, and waits for all else.
    async fn drain(self, limit: Duration) {
        let instances = self.registry.drain().into_iter();
        let close =
            instances.map(|instance| tokio::spawn(async move { instance.close(limit).await }));
        join_all(close.collect::<Vec<_>>()).await;
        // Once all connections are closed it is known which answers have been delivered, and
        // the others are being undone.
        let _ = self.served.await;
        self.tasks.idle().await;
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}
