//! A host: starts the built plugin and speaks to it as Vault 1.21 does.

mod brokered;
mod generation;
mod identity;
mod mount;
mod output;
mod process;
mod reply;
mod session;
// src/plugin/tests uses what is not used here.
#[allow(dead_code)]
mod storage;
mod system;
mod tls;

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;
use uuid::Uuid;
use vault_plugin_secrets_astra::proto::logical;
use vault_plugin_secrets_astra::proto::logical::plugin_version_client::PluginVersionClient;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::proto::plugin;
use vault_plugin_secrets_astra::proto::plugin::grpc_broker_client::GrpcBrokerClient;
use vault_plugin_secrets_astra::proto::plugin::grpc_controller_client::GrpcControllerClient;
use vault_plugin_secrets_astra::proto::plugin::grpc_stdio_client::GrpcStdioClient;
use vault_plugin_secrets_astra::proto::pluginutil::multiplexing::MultiplexingSupportRequest;
use vault_plugin_secrets_astra::proto::pluginutil::multiplexing::plugin_multiplexing_client::PluginMultiplexingClient;

pub(crate) use brokered::Brokered;
pub(crate) use brokered::Services;
pub(crate) use generation::GENERATIONS;
pub(crate) use generation::Generation;
pub(crate) use identity::Identity;
pub(crate) use mount::Client;
pub(crate) use mount::Mount;
pub(crate) use mount::internal;
pub(crate) use mount::lease_request;
pub(crate) use mount::now;
pub(crate) use mount::request;
pub(crate) use output::Output;
pub(crate) use process::Handshake;
pub(crate) use process::Launch;
pub(crate) use process::Process;
pub(crate) use process::exists;
pub(crate) use process::gone;
pub(crate) use reply::Lease;
pub(crate) use reply::NANOS;
pub(crate) use reply::Reply;
pub(crate) use session::KnockReply;
pub(crate) use session::Session;
pub(crate) use session::answer;
pub(crate) use storage::Mode;
pub(crate) use storage::Storage;
pub(crate) use storage::Verb;
pub(crate) use system::COMMUNITY;
pub(crate) use system::DR_SECONDARY;
pub(crate) use system::Events;
pub(crate) use system::PERFORMANCE_SECONDARY;
pub(crate) use system::PERFORMANCE_STANDBY;
pub(crate) use system::System;
pub(crate) use tls::Dial;

/// The limit for things that take milliseconds on an idle machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A running plugin with everything that a host opens right after the start.
pub(crate) struct Host {
    pub process: Process,
    pub handshake: Handshake,
    /// Where the plugin has all its connections in one.
    session: Option<Session>,
    channel: Channel,
    broker: mpsc::Sender<plugin::ConnInfo>,
    streams: Option<Streams>,
    next_broker_id: u32,
    folder: TempDir,
}

/// The streams that live as long as the connection.
struct Streams {
    _broker: Option<Streaming<plugin::ConnInfo>>,
    stdio: Streaming<plugin::StdioData>,
}

impl Host {
    /// Starts the plugin with Vault's environment.
    pub(crate) async fn start() -> Self {
        Self::launch(Launch::new()).await
    }

    pub(crate) async fn launch(launch: Launch) -> Self {
        Self::attach(launch.spawn()).await
    }

    /// Connects to a started plugin.
    pub(crate) async fn attach(process: Process) -> Self {
        let host = Self::attach_unasked(process).await;
        // In one session a host may confuse mounts, so there must be one only.
        assert_eq!(host.multiplexing().await, host.session.is_none());
        host
    }

    /// The same without asking whether it serves several mounts.
    pub(crate) async fn attach_unasked(process: Process) -> Self {
        let handshake = process.handshake().await;
        let session = match handshake.one_socket() {
            true => Some(Session::connect(&handshake.socket()).await),
            false => None,
        };
        let identity = process.identity().clone();
        let dial = match session.clone() {
            Some(session) => Dial::through(session, handshake.certificate(), identity),
            None => Dial::new(&handshake.socket(), handshake.certificate(), identity),
        };
        let channel = dial.channel().await.unwrap();
        let (broker, announcements) = mpsc::channel(64);
        let incoming = GrpcBrokerClient::new(channel.clone())
            .start_stream(ReceiverStream::new(announcements))
            .await
            .unwrap();
        let stdio = GrpcStdioClient::new(channel.clone())
            .stream_stdio(())
            .await
            .unwrap();
        let mut incoming = Some(incoming.into_inner());
        if let Some(session) = &session {
            let knocks = incoming.take().unwrap();
            tokio::spawn(session.clone().answer_knocks(knocks, broker.downgrade()));
        }
        let streams = Streams {
            _broker: incoming,
            stdio: stdio.into_inner(),
        };
        Self {
            process,
            handshake,
            session,
            channel,
            broker,
            streams: Some(streams),
            next_broker_id: 1,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The session; there must be one.
    pub(crate) fn session(&self) -> &Session {
        self.session.as_ref().expect("no session")
    }

    /// Another connection to the same plugin.
    pub(crate) fn dial(&self) -> Dial {
        let identity = self.process.identity().clone();
        let certificate = self.handshake.certificate();
        match self.session.clone() {
            Some(session) => Dial::through(session, certificate, identity),
            None => Dial::new(&self.handshake.socket(), certificate, identity),
        }
    }

    /// Says something to the plugin on the broker stream.
    pub(crate) async fn say(&self, message: plugin::ConnInfo) {
        self.broker.send(message).await.unwrap();
    }

    pub(crate) fn stdio(&mut self) -> &mut Streaming<plugin::StdioData> {
        &mut self.streams.as_mut().unwrap().stdio
    }

    /// Whether the plugin offers several mounts in one process.
    pub(crate) async fn multiplexing(&self) -> bool {
        PluginMultiplexingClient::new(self.channel())
            .multiplexing_support(MultiplexingSupportRequest {})
            .await
            .unwrap()
            .into_inner()
            .supported
    }

    /// The plugin's version, asked under `client`'s id.
    pub(crate) async fn version(&self, client: &Client) -> String {
        PluginVersionClient::new(self.channel())
            .version(client.message(logical::Empty {}))
            .await
            .unwrap()
            .into_inner()
            .plugin_version
    }

    /// The engine under the multiplex id `id`.
    pub(crate) fn client(&self, id: &str) -> Client {
        Client::new(self.channel(), Some(id))
    }

    /// The engine without a multiplex id.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.channel(), None)
    }

    /// A new broker id, and the server behind it; nothing is announced yet.
    pub(crate) fn offer(&mut self, services: Services) -> (u32, Brokered) {
        let identity = self.process.identity().clone();
        self.offer_as(&identity, services)
    }

    /// As [`Host::offer`], with another certificate than the one in `PLUGIN_CLIENT_CERT`.
    pub(crate) fn offer_as(&mut self, identity: &Identity, services: Services) -> (u32, Brokered) {
        let id = self.next_broker_id;
        self.next_broker_id += 1;
        let plugin = self.handshake.certificate();
        let brokered = match &self.session {
            Some(session) => Brokered::behind(session.listen(id), identity, plugin, services),
            None => {
                let address = self.folder.path().join(format!("host{id}"));
                Brokered::listen(address, identity, plugin, services)
            }
        };
        (id, brokered)
    }

    /// Tells the plugin where to dial for `id`, if there is a place: behind a session there is none.
    pub(crate) async fn announce(&self, id: u32, brokered: &Brokered) {
        let Some(address) = brokered.address() else {
            return;
        };
        let information = plugin::ConnInfo {
            service_id: id,
            network: "unix".to_owned(),
            address,
            knock: None,
        };
        self.say(information).await;
    }

    /// `Setup`; the answer's error text, empty for success.
    pub(crate) async fn setup(
        client: &Client,
        broker_id: u32,
        config: HashMap<String, String>,
    ) -> String {
        let arguments = pb::SetupArgs {
            broker_id,
            config,
            backend_uuid: Uuid::new_v4().to_string(),
        };
        let reply = client.backend().setup(client.message(arguments)).await;
        reply.unwrap().into_inner().err
    }

    /// A new mount with services of its own.
    pub(crate) async fn mount(&mut self) -> Mount {
        self.mount_on(Services::default()).await
    }

    /// A mount as after `secrets enable`, on storage that may have been used before.
    pub(crate) async fn mount_on(&mut self, services: Services) -> Mount {
        let client = self.client(&multiplex_id());
        self.mount_as(client, services).await
    }

    /// The same under the id that `client` has, or has not.
    pub(crate) async fn mount_as(&mut self, client: Client, services: Services) -> Mount {
        let mount = self.set_up_as(client, services).await;
        let client = mount.client();
        assert_eq!(client.backend_type().await.unwrap(), 1);
        client.special_paths().await.unwrap();
        let initialized = client.initialize().await.unwrap();
        assert!(initialized.err.is_none(), "{:?}", initialized.err);
        mount
    }

    /// `Setup` and no more.
    pub(crate) async fn set_up(&mut self, services: Services) -> Mount {
        let client = self.client(&multiplex_id());
        self.set_up_as(client, services).await
    }

    async fn set_up_as(&mut self, client: Client, services: Services) -> Mount {
        let (id, brokered) = self.offer(services.clone());
        self.announce(id, &brokered).await;
        assert_eq!(Self::setup(&client, id, mount_config()).await, "");
        Mount::new(client, brokered, services)
    }

    /// `Shutdown`, as a host ends a plugin; the call may fail.
    pub(crate) async fn shutdown(&self) {
        let mut controller = GrpcControllerClient::new(self.channel());
        let _ = controller.shutdown(plugin::Empty {}).await;
    }

    /// Lets the plugin go the normal way and checks what it leaves: exit status 0 in time, no
    /// socket, readable logs.
    pub(crate) async fn finish(mut self) {
        self.shutdown().await;
        let status = self.process.exit(LONG).await;
        assert!(status.success(), "{status}");
        assert!(
            self.process.sockets().is_empty(),
            "{:?}",
            self.process.sockets()
        );
        self.process.stderr.end().await;
        for line in self.process.stderr.lines() {
            crate::logs::check_line(&line);
        }
    }

    /// Ends the broker and stdio streams and forgets the connection, as a host that dies.
    pub(crate) fn disconnect(&mut self) {
        self.streams = None;
        if let Some(session) = self.session.take() {
            session.cut();
        }
        self.broker = mpsc::channel(1).0;
        self.channel = tonic::transport::Endpoint::from_static("http://localhost").connect_lazy();
    }
}

/// The `Config` of a mount on Vault 1.21.
pub(crate) fn mount_config() -> HashMap<String, String> {
    let pairs = [
        ("plugin_name", "astra"),
        ("plugin_type", "secret"),
        ("plugin_version", "v0.1.0"),
        ("plugin_tier", "unknown"),
    ];
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Ten characters of base 62, as a host makes them.
pub(crate) fn multiplex_id() -> String {
    Uuid::new_v4().simple().to_string()[..10].to_owned()
}

/// Polls `condition` until it holds.
#[track_caller]
pub(crate) fn eventually(
    what: &str,
    within: Duration,
    condition: impl Fn() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let end = Instant::now() + within;
        while !condition() {
            assert!(
                Instant::now() < end,
                "{caller}: {what} did not come within {within:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
