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
mod storage;
mod tls;
