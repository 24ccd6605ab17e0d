//! The documents say what the code does: `docs/errors.md` has every message, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod errors;
mod sources;
mod table;
