//! The plugin in a real Vault, against the emulated Astra: what users do, and what goes wrong.
//!
//! Every test has an emulated organization and a mount of its own and ends with
//! [`mount::TestMount::finish`]: what Vault leases is what Astra holds, nothing was asked of Astra that its
//! API does not offer, and no secret is in any log. Tests that harm no other share one Vault.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod access;
mod api_page;
mod caps;
mod catalog;
mod cluster;
mod command_line;
mod configs;
mod container;
mod crashes;
mod credentials;
mod discovery;
mod documents;
mod generated_client;
mod guides;
mod hello;
mod image;
mod leases;
mod monitoring;
mod mounts;
mod namespaces;
mod read_back;
mod recipes;
mod refusals;
mod roles;
mod rotation;
mod secrets;
mod setup;
mod tables;
mod takeover;
mod tidy;
mod upgrade;
