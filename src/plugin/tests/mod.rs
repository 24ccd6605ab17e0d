//! The whole server over real sockets and real TLS, with a host in this process.

mod backend;
mod delivery;
mod ending;
mod host;
mod instances;
mod proxy;
mod requests;
mod session;
mod start;
mod tls;

// What a host offers to a mount is the fake host's, as is the host's certificate (tests/README.md).
#[allow(dead_code)]
#[path = "../../../tests/conformance/host/identity.rs"]
mod identity;
#[allow(dead_code)]
#[path = "../../../tests/conformance/host/storage.rs"]
mod storage;
#[allow(dead_code)]
#[path = "../../../tests/conformance/host/system.rs"]
mod system;
