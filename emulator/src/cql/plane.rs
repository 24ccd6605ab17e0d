//! What the parts of the CQL data plane share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;

use parking_lot::Mutex;
use rustls::ServerConfig;
use sha2::Digest;
use sha2::Sha256;
use uuid::Uuid;

use crate::cql::certificates;
use crate::cql::certificates::ClientCertificate;
use crate::cql::registry::CqlConnection;
use crate::cql::registry::Registry;
use crate::cql::upstream::Upstream;
use crate::error::Error;
use crate::listener::Listener;
use crate::tls::Certificates;

/// Ports, certificates and connections.
pub(crate) struct Plane {
    certificates: Arc<Certificates>,
    pub(super) metadata: Arc<Listener>,
    pub(super) cql: Arc<Listener>,
    /// By `<database id>-<region>`.
    clients: Mutex<HashMap<String, ClientCertificate>>,
    pub(super) registry: Registry,
    /// Where statements go, if not to the emulator's own answers.
    pub(super) upstream: OnceLock<Upstream>,
}

/// A database in a region, as a client certificate names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) database: String,
    pub(super) region: String,
}

impl Place {
    /// What the certificate is called.
    pub(super) fn name(database: &str, region: &str) -> String {
        format!("{database}-{region}")
    }

    /// The id of its one node, without a server behind it.
    pub(super) fn host_id(&self) -> Uuid {
        self.derived("host")
    }

    pub(super) fn schema_version(&self) -> Uuid {
        self.derived("schema")
    }

    /// Follows from the seed, as the database's id does.
    fn derived(&self, what: &str) -> Uuid {
        let text = format!("{what}\n{}\n{}", self.database, self.region);
        let digest = Sha256::digest(text.as_bytes());
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

impl Plane {
    /// Opens both ports on free ports of `api`'s address.
    pub(crate) fn open(api: SocketAddr, certificates: Arc<Certificates>) -> Result<Self, Error> {
        let free = SocketAddr::new(api.ip(), 0);
        Ok(Self {
            certificates,
            metadata: Arc::new(Listener::open(free)?),
            cql: Arc::new(Listener::open(free)?),
            clients: Mutex::default(),
            registry: Registry::default(),
            upstream: OnceLock::new(),
        })
    }

    /// Where the metadata service listens.
    pub(crate) fn metadata_address(&self) -> SocketAddr {
        self.metadata.address
    }

    /// Where CQL is spoken.
    pub(crate) fn cql_address(&self) -> SocketAddr {
        self.cql.address
    }

    /// All connections so far (the last 10,000), oldest first.
    pub(crate) fn connections(&self) -> Vec<CqlConnection> {
        self.registry.all()
    }

    /// Cuts open connections of a database, or all; gives how many.
    pub(crate) fn cut(&self, database: Option<&str>) -> usize {
        self.registry.cut(database)
    }

    /// Lets statements go to a CQL server; once.
    pub(crate) fn set_upstream(&self, upstream: Upstream) {
        self.upstream.get_or_init(|| upstream);
    }

    /// The id of the one node of a database in a region: the name that a driver sends as SNI.
    pub(super) fn host_id(&self, place: &Place) -> Uuid {
        match self.upstream.get() {
            Some(upstream) => upstream.host_id,
            None => place.host_id(),
        }
    }

    /// The datacenter of a database in a region.
    pub(super) fn datacenter<'a>(&'a self, place: &'a Place) -> &'a str {
        match self.upstream.get() {
            Some(upstream) => &upstream.datacenter,
            None => &place.region,
        }
    }

    /// Stops listening.
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.metadata.set_open(false)?;
        self.cql.set_open(false)
    }

    pub(super) fn ca(&self) -> (&str, &[u8]) {
        let authority = &self.certificates.authority;
        (&self.certificates.ca_pem, &authority.der)
    }

    pub(super) fn tls(&self) -> Result<Arc<ServerConfig>, Error> {
        certificates::server(&self.certificates.authority)
    }

    /// The certificate of a database and region, made at its first download.
    pub(super) fn client(&self, database: &str, region: &str) -> Result<ClientCertificate, Error> {
        let name = Place::name(database, region);
        let mut clients = self.clients.lock();
        if let Some(known) = clients.get(&name) {
            return Ok(known.clone());
        }
        let made = certificates::client(&self.certificates.authority, &name)?;
        clients.insert(name, made.clone());
        Ok(made)
    }

    /// Whose certificate this is.
    pub(super) fn place(&self, certificate: &[u8]) -> Option<Place> {
        let clients = self.clients.lock();
        let (name, _) = clients.iter().find(|(_, own)| own.der == certificate)?;
        // A UUID has 36 characters, and a hyphen follows.
        Some(Place {
            database: name.get(..36)?.to_owned(),
            region: name.get(37..)?.to_owned(),
        })
    }
}
