//! The documents say what the code does: `docs/errors.md` has every message, and nothing else;
//! `docs/reliability.md` has the number of crash points, of which the code has one at every change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod errors;
mod failpoints;
mod faults;
mod messages;
#[path = "../sources.rs"]
mod sources;
mod table;
mod words;
