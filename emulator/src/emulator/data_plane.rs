//! The CQL data plane of a running emulator.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::cql::CqlConnection;
use crate::cql::Plane;
use crate::emulator::handle::Emulator;

impl Emulator {
    /// Where the metadata service of the secure connect bundles listens, with [`crate::Options::cql`].
    pub fn metadata_address(&self) -> Option<SocketAddr> {
        self.plane().map(|plane| plane.metadata_address())
    }

    /// Where CQL is spoken, with [`crate::Options::cql`].
    pub fn cql_address(&self) -> Option<SocketAddr> {
        self.plane().map(|plane| plane.cql_address())
    }

    /// The CQL connections so far (the last 10,000), oldest first, without secrets.
    pub fn cql_connections(&self) -> Vec<CqlConnection> {
        self.plane()
            .map(|plane| plane.connections())
            .unwrap_or_default()
    }

    /// Cuts the open CQL connections of a database, or all of them, as a node that goes away does;
    /// gives how many.
    pub fn cut_cql(&self, database_id: Option<&str>) -> usize {
        self.plane()
            .map(|plane| plane.cut(database_id))
            .unwrap_or_default()
    }

    fn plane(&self) -> Option<&Plane> {
        self.inner.plane.get().map(Arc::as_ref)
    }
}
