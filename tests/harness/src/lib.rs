//! Real Vault servers for tests and measurements: start, unseal, kill, restart and look into
//! them, talk to them as a user would, and check that what Vault leases is what Astra holds.
//!
//! Everything a [`Server`] starts ends with it, and also when the test process itself is killed.
//!
//! Functions here panic with a full explanation instead of returning errors: their callers are
//! tests and tools that can do nothing but stop.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod astra;
mod capabilities;
mod cli;
mod cluster;
mod docker;
mod failpoint;
mod fake_docker;
mod guard;
mod host;
mod invariant;
mod lease;
mod plugin;
mod port;
mod process;
mod registry;
mod server;
mod stored;
mod test_mount;
mod tick;
mod wait;

pub use api::Api;
pub use api::Reply;
pub use astra::Astra;
pub use capabilities::serves_leases;
pub use cli::Cli;
pub use cli::Output;
pub use cluster::Cluster;
pub use docker::Docker;
pub use docker::IMAGE;
pub use failpoint::Failpoints;
pub use host::Host;
pub use invariant::Credential;
pub use invariant::Holdings;
pub use invariant::assert_no_secret_logged;
pub use invariant::assert_reconciled;
pub use lease::leases;
pub use lease::revoke_prefix;
pub use plugin::Plugin;
pub use plugin::sha256;
pub use port::Port;
pub use process::Process;
pub use registry::Registry;
pub use server::Options;
pub use server::Server;
pub use server::Storage;
pub use stored::HOUR;
pub use stored::Marks;
pub use stored::Stored;
pub use test_mount::READ_ONLY;
pub use test_mount::SOON;
pub use test_mount::TICK;
pub use test_mount::TOO_LONG;
pub use test_mount::TestMount;
pub use tick::until_ticked;
pub use wait::wait_until;
