//! A Vault and OpenBao secrets engine that leases DataStax Astra DB application tokens.
//!
//! The layers, from the wire up: [`plugin`] is the process that a host starts, [`vault`] its
//! vocabulary, [`framework`] declarative paths, [`astra`] the DevOps API client and [`engine`] the
//! secrets engine itself.  See `docs/internals/architecture.md`.

#[allow(unreachable_pub)] // on its way to pub(crate)
pub mod astra;
#[allow(unreachable_pub)] // on its way to pub(crate)
pub mod engine;
pub mod framework;
pub mod plugin;
pub mod proto;
mod random;
pub mod secret;
pub mod vault;
