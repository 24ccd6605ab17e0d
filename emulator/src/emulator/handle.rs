//! The handle of a running emulator: addresses, certificates, seeds, start and end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicU8;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::cql;
use crate::cql::Plane;
use crate::cql::Upstream;
use crate::error::Error;
use crate::listener::Listener;
use crate::options::Options;
use crate::proxy;
use crate::seed;
use crate::server;
use crate::service::Service;
use crate::state::seeds::Seeds;
use crate::state::service_state::ServiceState;
use crate::tls::Certificate;
use crate::tls::Certificates;

/// A running emulator. Clones are handles of the same one; it ends with [`Emulator::shutdown`] or
/// when the last handle is dropped.
#[derive(Clone)]
pub struct Emulator {
    pub(super) inner: Arc<Inner>,
}

/// A handle that does not keep the emulator running.
#[derive(Clone)]
pub(crate) struct WeakEmulator(Weak<Inner>);

impl WeakEmulator {
    /// `None` once the emulator has ended.
    pub(crate) fn upgrade(&self) -> Option<Emulator> {
        self.0.upgrade().map(|inner| Emulator { inner })
    }
}

pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) service: Arc<Service>,
    pub(super) api: Arc<Listener>,
    pub(super) control: Arc<Listener>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) certificates: OnceLock<Arc<Certificates>>,
    /// The CQL data plane, if there is one.
    pub(super) plane: OnceLock<Arc<Plane>>,
    /// The proxy for Astra's host names, if there is one.
    pub(super) proxy: OnceLock<Arc<Listener>>,
    /// The certificate of the main listener.
    pub(super) certificate: Arc<AtomicU8>,
    /// Alternative TLS listeners.
    pub(super) others: Mutex<Vec<(Certificate, SocketAddr)>>,
    pub(super) runtime: tokio::runtime::Handle,
}

impl Emulator {
    /// Starts everything but the control API on the current tokio runtime.
    pub(crate) fn start_api(options: Options) -> Result<Self, Error> {
        let api = Listener::open(options.api)?;
        let control = Listener::open(options.control)?;
        let tls = options.tls;
        let emulator = Self::with_listeners(options, api, control);
        let inner = &emulator.inner;
        let config = match tls {
            true => Some(inner.certificates()?.config(inner.certificate.clone())?),
            false => None,
        };
        let stopped = inner.stop.subscribe();
        tokio::spawn(server::run(
            inner.api.clone(),
            inner.service.clone(),
            config,
            stopped,
        ));
        if inner.options.cql || inner.options.cql_upstream.is_some() {
            let plane = Arc::new(Plane::open(inner.api.address, inner.certificates()?)?);
            cql::run(&plane, &inner.service, &inner.stop.subscribe())?;
            inner.service.lock().bundles = Some(plane.clone());
            inner.plane.get_or_init(|| plane);
        }
        if inner.options.proxy {
            let listener = Arc::new(Listener::open(SocketAddr::new(inner.api.address.ip(), 0))?);
            let listener = inner.proxy.get_or_init(|| listener).clone();
            let stopped = inner.stop.subscribe();
            proxy::run(
                listener,
                &*inner.certificates()?,
                inner.service.clone(),
                stopped,
            )?;
        }
        Ok(emulator)
    }

    /// Lets CQL statements go to the server of [`Options::cql_upstream`], if there is one.
    pub(crate) async fn join_upstream(&self) -> Result<(), Error> {
        let inner = &self.inner;
        let (Some(plane), Some(address)) = (inner.plane.get(), inner.options.cql_upstream) else {
            return Ok(());
        };
        let keyspaces = inner.service.lock().records.keyspaces();
        plane.set_upstream(Upstream::prepare(address, &keyspaces).await?);
        Ok(())
    }

    /// An emulator that serves nothing yet.
    pub(super) fn with_listeners(options: Options, api: Listener, control: Listener) -> Self {
        let scheme = if options.tls { "https" } else { "http" };
        let state = seed::new_state(&options, format!("{scheme}://{}", api.address));
        Self {
            inner: Arc::new(Inner {
                options,
                service: Arc::new(Service::new(state)),
                api: Arc::new(api),
                control: Arc::new(control),
                stop: watch::Sender::new(false),
                certificates: OnceLock::new(),
                plane: OnceLock::new(),
                proxy: OnceLock::new(),
                certificate: Arc::new(AtomicU8::new(Certificate::Good as u8)),
                others: Mutex::new(Vec::new()),
                runtime: tokio::runtime::Handle::current(),
            }),
        }
    }

    /// Scheme, host and port of the API, without `/v2`.
    pub fn url(&self) -> String {
        self.inner.service.lock().base_url.clone()
    }

    /// Scheme, host and port of the control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.inner.control.address)
    }

    /// Base URL of a database's data-plane stub.
    pub fn data_url(&self, database_id: &str, region: &str) -> String {
        format!("{}/_data/{database_id}-{region}", self.url())
    }

    /// The proxy for Astra's host names, with [`Options::proxy`].
    pub fn proxy_url(&self) -> Option<String> {
        let listener = self.inner.proxy.get()?;
        Some(format!("http://{}", listener.address))
    }

    /// The generated CA, if anything is served by TLS.
    pub fn ca_pem(&self) -> Option<String> {
        self.inner
            .certificates
            .get()
            .map(|certificates| certificates.ca_pem.clone())
    }

    /// Base URL of a listener with the given certificate, started on first use.
    ///
    /// # Errors
    ///
    /// No port, or no certificate could be made.
    pub fn tls_url(&self, certificate: Certificate) -> Result<String, Error> {
        let inner = &self.inner;
        let mut others = inner.others.lock();
        let known = others
            .iter()
            .find(|(own, _)| *own == certificate)
            .map(|(_, address)| *address);
        let address = match known {
            Some(address) => address,
            None => {
                let choice = Arc::new(AtomicU8::new(certificate as u8));
                let config = inner.certificates()?.config(choice)?;
                let _context = inner.runtime.enter();
                let listener =
                    Arc::new(Listener::open(SocketAddr::new(inner.api.address.ip(), 0))?);
                others.push((certificate, listener.address));
                let address = listener.address;
                let stopped = inner.stop.subscribe();
                inner.runtime.spawn(server::run(
                    listener,
                    inner.service.clone(),
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
        let state = self.inner.service.lock();
        state
            .seeds
            .organizations
            .first()
            .map(|org| org.root_token.clone())
            .unwrap_or_default()
    }

    /// What was there from the start, with secrets.
    pub fn seeds(&self) -> Seeds {
        self.inner.service.lock().seeds.clone()
    }

    pub(crate) fn downgrade(&self) -> WeakEmulator {
        WeakEmulator(Arc::downgrade(&self.inner))
    }

    /// Where the control API is to listen.
    pub(crate) fn control_listener(&self) -> Arc<Listener> {
        self.inner.control.clone()
    }

    /// Becomes true, or loses its sender, when the emulator ends.
    pub(crate) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.inner.stop.subscribe()
    }

    /// Whether the control API may show secrets.
    pub(crate) fn show_secrets(&self) -> bool {
        self.inner.options.show_secrets
    }

    pub(crate) fn with_state<T>(&self, read: impl FnOnce(&ServiceState) -> T) -> T {
        read(&self.inner.service.lock())
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
    fn certificates(&self) -> Result<Arc<Certificates>, Error> {
        if let Some(certificates) = self.certificates.get() {
            return Ok(certificates.clone());
        }
        let certificates = Arc::new(Certificates::generate()?);
        Ok(self.certificates.get_or_init(|| certificates).clone())
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        if let Some(Err(error)) = self.plane.get().map(|plane| plane.close()) {
            tracing::warn!(%error, "cannot close a port");
        }
        for listener in [&self.api, &self.control]
            .into_iter()
            .chain(self.proxy.get())
        {
            if let Err(error) = listener.set_open(false) {
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
