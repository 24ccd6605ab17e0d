//! The documents say what the code does: `docs/errors.md` has every message, and nothing else;
//! `docs/internals/reliability.md` has the number of failpoints, of which the code has one at every
//! change;
//! `docs/sdk.md` has the code of the example; words and lines are as CONTRIBUTING.md wants them; and
//! fenced blocks say whether a test runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod errors;
mod facts;
mod failpoints;
mod faults;
mod fences;
mod lines;
mod links;
mod messages;
mod recipes;
mod sdk;
#[path = "../sources.rs"]
mod sources;
mod table;
mod where_is_what;
mod words;
