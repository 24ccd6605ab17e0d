//! A Vault and OpenBao secrets engine that leases DataStax Astra DB application tokens.
//!
//! The layers, from the wire up: [`plugin`] is the process that a host starts, [`vault`] its
//! vocabulary, [`framework`] declarative paths, [`astra`] the DevOps API client and [`engine`] the
//! secrets engine itself.  See `docs/internals/architecture.md`.

// Tests may be as long as what they tell, and their helpers as public as their modules.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]
#![cfg_attr(any(test, feature = "fuzzing"), allow(unreachable_pub))]

pub mod astra;
mod duration_text;
pub mod engine;
pub mod framework;
pub mod plugin;
pub mod proto;
mod random;
pub mod secret;
pub mod vault;

// The fake host of tests/conformance is part of unit tests too.
#[cfg(test)]
extern crate self as vault_plugin_secrets_astra;
