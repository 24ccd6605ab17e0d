//! The handle of a running emulator: the library API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU8;

use tokio::sync::watch;

use crate::control;
use crate::error::Error;
use crate::options::Options;
use crate::seed::Seeds;
use crate::server;
use crate::server::Door;
use crate::shared::Shared;
use crate::state::World;
use crate::tls::Certificate;
use crate::tls::Kit;

mod lifecycle;
mod observe;
mod portal;
mod rules;

pub use observe::Stats;
pub use observe::WaitFor;
pub use portal::PortalToken;

/// A running emulator. Clones are handles of the same one; it ends with [`Emulator::shutdown`] or
/// when the last handle is dropped.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    shared: Arc<Shared>,
    api: Arc<Door>,
    control: Arc<Door>,
    stop: watch::Sender<bool>,
    kit: OnceLock<Arc<Kit>>,
    /// The certificate of the main listener.
    certificate: Arc<AtomicU8>,
    /// Alternative TLS listeners.
    others: Mutex<Vec<(Certificate, SocketAddr)>>,
    runtime: tokio::runtime::Handle,
}

impl Emulator {
    /// Starts an emulator on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// An address is not loopback or is taken, or a certificate cannot be made.
    #[allow(
        clippy::unused_async,
        reason = "listening needs a runtime, which async promises"
    )]
    pub async fn start(options: Options) -> Result<Self, Error> {
        let api = Arc::new(Door::open(options.api)?);
        let control = Arc::new(Door::open(options.control)?);
        let scheme = if options.tls { "https" } else { "http" };
        let world = World::new(&options, format!("{scheme}://{}", api.address));
        let tls = options.tls;
        let emulator = Self {
            inner: Arc::new(Inner {
                options,
                shared: Arc::new(Shared::new(world)),
                api,
                control,
                stop: watch::Sender::new(false),
                kit: OnceLock::new(),
                certificate: Arc::new(AtomicU8::new(Certificate::Good as u8)),
                others: Mutex::new(Vec::new()),
                runtime: tokio::runtime::Handle::current(),
            }),
        };
        let inner = &emulator.inner;
        let config = match tls {
            true => Some(inner.kit()?.config(inner.certificate.clone())?),
            false => None,
        };
        let stopped = inner.stop.subscribe();
        tokio::spawn(server::run(
            inner.api.clone(),
            inner.shared.clone(),
            config,
            stopped,
        ));
        // The control API must not keep the emulator alive.
        let weak = Arc::downgrade(inner);
        tokio::spawn(server::run_control(
            inner.control.clone(),
            inner.stop.subscribe(),
            move |request| {
                let emulator = weak.upgrade().map(|inner| Self { inner });
                control::answer(emulator, request)
            },
        ));
        Ok(emulator)
    }

    /// Scheme, host and port of the API, without `/v2`.
    pub fn url(&self) -> String {
        self.inner.shared.lock().base_url.clone()
    }

    /// Scheme, host and port of the control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.inner.control.address)
    }

    /// Base URL of a database's data-plane stub.
    pub fn data_url(&self, database_id: &str, region: &str) -> String {
        format!("{}/_data/{database_id}-{region}", self.url())
    }

    /// The generated CA, if the API is served by TLS or [`Emulator::tls_url`] was called.
    pub fn ca_pem(&self) -> Option<String> {
        self.inner.kit.get().map(|kit| kit.ca_pem.clone())
    }

    /// Base URL of a listener with the given certificate, started on first use.
    ///
    /// # Errors
    ///
    /// No port, or no certificate could be made.
    pub fn tls_url(&self, certificate: Certificate) -> Result<String, Error> {
        let inner = &self.inner;
        let mut others = inner.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others
            .iter()
            .find(|(own, _)| *own == certificate)
            .map(|(_, address)| *address);
        let address = match known {
            Some(address) => address,
            None => {
                let choice = Arc::new(AtomicU8::new(certificate as u8));
                let config = inner.kit()?.config(choice)?;
                let _context = inner.runtime.enter();
                let door = Arc::new(Door::open(SocketAddr::new(inner.api.address.ip(), 0))?);
                others.push((certificate, door.address));
                let address = door.address;
                let stopped = inner.stop.subscribe();
                inner.runtime.spawn(server::run(
                    door,
                    inner.shared.clone(),
                    Some(config),
                    stopped,
                ));
                address
            }
        };
        Ok(format!("https://{address}"))
    }

    /// The token of the first organization's administrator.
    pub fn root_token(&self) -> String {
        let world = self.inner.shared.lock();
        world
            .seeds
            .organizations
            .first()
            .map(|org| org.root_token.clone())
            .unwrap_or_default()
    }

    /// What was there from the start, with secrets.
    pub fn seeds(&self) -> Seeds {
        self.inner.shared.lock().seeds.clone()
    }

    /// Whether the control API may show secrets.
    pub(crate) fn show_secrets(&self) -> bool {
        self.inner.options.show_secrets
    }

    pub(crate) fn with_world<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.inner.shared.lock())
    }

    /// Ends the emulator: no new connections, open ones are cut.
    #[allow(
        clippy::unused_async,
        reason = "room for waiting without breaking callers"
    )]
    pub async fn shutdown(self) {
        self.inner.stop();
    }
}

impl Inner {
    fn kit(&self) -> Result<Arc<Kit>, Error> {
        if let Some(kit) = self.kit.get() {
            return Ok(kit.clone());
        }
        let kit = Arc::new(Kit::generate()?);
        Ok(self.kit.get_or_init(|| kit).clone())
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        for door in [&self.api, &self.control] {
            if let Err(error) = door.set_open(false) {
                tracing::warn!(%error, "cannot close a port");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}
