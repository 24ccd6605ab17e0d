//! A whole deployment on one thread under virtual time: the engine, a host and the emulated Astra,
//! without sockets and without waiting.  A seed decides what happens, and when.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic
)]

pub mod chance;
mod damage;
mod durable;
mod history;
mod host;
mod invariants;
pub mod network;
mod operation;
mod perform;
mod process;
mod repair;
mod root_token;
mod run;
mod shrink;
mod tests;
pub mod trace;
mod trouble;
mod world;
