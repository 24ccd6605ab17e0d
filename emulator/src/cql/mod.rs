//! The CQL data plane: secure connect bundles that work, the metadata service, and CQL version 4
//! whose credentials are those of the emulator's own ledger.
//!
//! What the protocol's messages look like is from Apache Cassandra's `native_protocol_v4.spec`; what
//! a bundle holds and which steps a driver takes with it, from the drivers' sources.

mod bundle;
mod certificates;
mod connection;
mod credentials;
mod decode;
mod encode;
mod frame;
mod jks;
mod metadata;
mod plane;
#[cfg(test)]
mod properties;
mod registry;
mod rows;
mod statement;
mod system_tables;
mod tls_server;
mod upstream;

pub(crate) use plane::Plane;
pub use registry::CqlConnection;
pub use registry::CqlCredential;
pub use registry::CqlOutcome;
pub(crate) use system_tables::RELEASE_VERSION;
pub(crate) use tls_server::run;
pub(crate) use upstream::Upstream;
