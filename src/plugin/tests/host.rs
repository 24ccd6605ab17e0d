//! A host: it knows the plugin by its certificate, dials it, and serves it storage.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::Status;
use tonic::transport::Channel;
use tonic::transport::Server;

use super::backend::Counters;
use super::backend::TestFactory;
use super::identity;
use super::proxy::Proxy;
use super::storage;
use super::storage::Storage;
use super::system;
use super::system::System;
use crate::plugin::Environment;
use crate::plugin::certificate::Identity;
use crate::plugin::dial::Dialer;
use crate::plugin::environment::OneSocket;
use crate::plugin::instance::MULTIPLEX_ID;
use crate::plugin::lifecycle::HostPresence;
use crate::plugin::lifecycle::Lifecycle;
use crate::plugin::lifecycle::Limits;
use crate::plugin::lifecycle::ShutdownReason;
use crate::plugin::listener::connections;
use crate::plugin::server::PluginServer;
use crate::plugin::socket::Socket;
use crate::plugin::tls::client_config;
use crate::plugin::tls::server_config;
use crate::proto::pb;
use crate::proto::pb::backend_client::BackendClient;
use crate::proto::pb::storage_server::StorageServer;
use crate::proto::pb::system_view_server::SystemViewServer;
use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::grpc_broker_client::GrpcBrokerClient;

/// A running plugin and its host.
pub(super) struct Host {
    pub channel: Channel,
    pub counters: Arc<Counters>,
    pub directory: TempDir,
    pub plugin: JoinHandle<ShutdownReason>,
    pub lifecycle: Lifecycle,
    pub identity: Arc<Identity>,
    pub plugin_certificate: CertificateDer<'static>,
    pub plugin_socket: PathBuf,
    pub announcements: Option<mpsc::Sender<ConnInfo>>,
    next: u32,
}

/// One mount's side of the host.
pub(super) struct MountSide {
    pub id: String,
    pub storage: Arc<Storage>,
    pub system: Arc<System>,
    pub proxy: Proxy,
    pub broker_id: u32,
}

/// A certificate as hosts make them.
pub(super) fn host_identity() -> Identity {
    let made = identity::Identity::new();
    Identity {
        certificate: made.certificate(),
        key: made.key(),
    }
}

/// Limits short enough for tests that wait for them.
pub(super) fn limits() -> Limits {
    Limits {
        broker: Duration::from_millis(200),
        ..Limits::default()
    }
}

impl Host {
    pub(super) async fn start() -> Self {
        Self::with(limits()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let identity = Arc::new(host_identity());
        let plugin_identity = Identity::generate(OffsetDateTime::now_utc()).unwrap();
        let plugin_certificate = plugin_identity.certificate.clone();
        let factory = TestFactory::default();
        let counters = Arc::clone(&factory.counters);
        let server = PluginServer::new(
            factory,
            &plugin_identity,
            &identity.certificate,
            limits,
            OneSocket::No,
        )
        .unwrap();
        let lifecycle = server.lifecycle().clone();
        let environment = Environment::new(Vec::<(&str, &str)>::new());
        let (socket, listener) = Socket::bind(&environment, directory.path()).unwrap();
        let plugin_socket = socket.path.clone();
        listener.set_nonblocking(true).unwrap();
        let listener = UnixListener::from_std(listener).unwrap();
        let plugin = tokio::spawn(async move {
            let _socket = socket;
            server.run(listener).await
        });
        let tls = Arc::new(client_config(&identity, &plugin_certificate).unwrap());
        let channel = dialer(&plugin_socket, tls).channel();
        let mut host = Self {
            channel,
            counters,
            directory,
            plugin,
            lifecycle,
            identity,
            plugin_certificate,
            plugin_socket,
            announcements: None,
            next: 0,
        };
        host.open_broker().await;
        host
    }

    pub(super) async fn open_broker(&mut self) {
        let (sender, receiver) = mpsc::channel(16);
        let mut client = GrpcBrokerClient::new(self.channel.clone());
        let mut silence = client
            .start_stream(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        tokio::spawn(async move { silence.message().await });
        self.announcements = Some(sender);
    }

    pub(super) async fn announce(&self, service_id: u32, socket: &std::path::Path) {
        let address = socket.to_str().unwrap().to_owned();
        let announcement = ConnInfo {
            service_id,
            network: "unix".to_owned(),
            address,
            knock: None,
        };
        self.announcements
            .as_ref()
            .unwrap()
            .send(announcement)
            .await
            .unwrap();
    }

    /// Serves a mount's side on a new socket that has not been announced.
    pub(super) fn serve_mount(&mut self, id: &str, identity: &Identity) -> MountSide {
        self.next += 1;
        let broker_id = self.next;
        let socket = self.directory.path().join(format!("host-{broker_id}"));
        let listener = UnixListener::bind(&socket).unwrap();
        let tls = Arc::new(server_config(identity, &self.plugin_certificate).unwrap());
        let storage = Storage::new();
        let system = System::new();
        // Other than the defaults of the engine's answers.
        system.change(|facts| {
            facts.default_ttl = Duration::from_secs(3_600);
            facts.max_ttl = Duration::from_secs(86_400);
            facts.tainted = true;
            facts.local = true;
        });
        let server = Server::builder()
            .add_service(
                StorageServer::new(storage::Served(Arc::clone(&storage)))
                    .max_decoding_message_size(i32::MAX as usize)
                    .max_encoding_message_size(i32::MAX as usize),
            )
            .add_service(SystemViewServer::new(system::Served(Arc::clone(&system))));
        let incoming = connections(listener, tls, watch::Sender::new(HostPresence::default()));
        tokio::spawn(server.serve_with_incoming(incoming));
        let proxy = Proxy::start(
            self.directory.path().join(format!("proxy-{broker_id}")),
            &socket,
        );
        MountSide {
            id: id.to_owned(),
            storage,
            system,
            proxy,
            broker_id,
        }
    }

    pub(super) async fn setup(&self, mount: &MountSide) -> Result<(), String> {
        self.setup_with(mount, &[]).await
    }

    pub(super) async fn setup_with(
        &self,
        mount: &MountSide,
        options: &[(&str, &str)],
    ) -> Result<(), String> {
        let arguments = pb::SetupArgs {
            broker_id: mount.broker_id,
            config: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            backend_uuid: format!("uuid-{}", mount.id),
        };
        let reply = self
            .backend()
            .setup(named(arguments, &mount.id))
            .await
            .unwrap()
            .into_inner();
        if reply.err.is_empty() {
            Ok(())
        } else {
            Err(reply.err)
        }
    }

    /// A mount that is set up.
    pub(super) async fn mount(&mut self, id: &str) -> MountSide {
        let identity = Arc::clone(&self.identity);
        let mount = self.serve_mount(id, &identity);
        self.announce(mount.broker_id, &mount.proxy.socket).await;
        self.setup(&mount).await.unwrap();
        mount
    }

    pub(super) fn backend(&self) -> BackendClient<Channel> {
        BackendClient::new(self.channel.clone())
            .max_decoding_message_size(i32::MAX as usize)
            .max_encoding_message_size(i32::MAX as usize)
    }

    pub(super) async fn request(
        &self,
        id: &str,
        operation: &str,
        path: &str,
        data: &str,
    ) -> Result<pb::HandleRequestReply, Status> {
        let arguments = arguments(operation, path, data);
        self.backend()
            .handle_request(named(arguments, id))
            .await
            .map(tonic::Response::into_inner)
    }

    pub(super) async fn read(&self, id: &str, path: &str) -> pb::HandleRequestReply {
        self.request(id, "read", path, "null").await.unwrap()
    }

    /// The reason why the plugin ended.
    pub(super) async fn ended(self) -> ShutdownReason {
        tokio::time::timeout(Duration::from_secs(120), self.plugin)
            .await
            .unwrap()
            .unwrap()
    }
}

pub(super) fn dialer(socket: &std::path::Path, tls: Arc<ClientConfig>) -> Dialer {
    let address = socket.to_str().unwrap().to_owned();
    let announcement = ConnInfo {
        service_id: 0,
        network: "unix".to_owned(),
        address,
        knock: None,
    };
    Dialer::new(announcement, tls).unwrap()
}

pub(super) fn arguments(operation: &str, path: &str, data: &str) -> pb::HandleRequestArgs {
    let request = pb::Request {
        operation: operation.to_owned(),
        path: path.to_owned(),
        data: data.to_owned(),
        mount_point: "test/".to_owned(),
        ..pb::Request::default()
    };
    pb::HandleRequestArgs {
        storage_id: 0,
        request: Some(request),
    }
}

/// A call with the mount's name in its metadata, as hosts make them.
pub(super) fn named<T>(message: T, id: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !id.is_empty() {
        request
            .metadata_mut()
            .insert(MULTIPLEX_ID, id.parse().unwrap());
    }
    request
}
