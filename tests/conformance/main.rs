//! The protocol's conformance list against the built binary.
//!
//! Each test is named after a line of the list in `tests/README.md`; the fake host in [`host`] is as
//! strict as a real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod container;
mod events;
mod faults;
mod generations;
mod host;
mod leases;
mod list;
mod logs;
mod nodes;
mod openapi;
mod requests;
mod secrecy;
mod services;
mod setup;
mod start;
mod tls;
mod upstream;
