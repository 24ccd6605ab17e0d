//! The emulator against real sockets: what is recorded of Astra, every operation, knob and fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bodies;
mod clients;
mod conformance;
mod control;
mod cql;
mod databases;
mod faults;
mod harness;
mod knobs;
mod library;
mod matchers;
mod misleading;
mod organizations;
mod program;
mod proxy;
mod roles;
mod strictness;
mod timing;
mod tls;
mod tokens;
