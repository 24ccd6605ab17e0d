//! What hostile peers could send, by the door through which it comes.
//!
//! Each target takes any bytes.  It fails by a panic, also of its own checks, by not coming to an end,
//! or by eating memory.  `scripts/fuzz` lets a coverage-guided fuzzer look for such bytes;
//! `tests/corpus.rs` repeats those that were interesting before.  Time is virtual and nothing reaches
//! the network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod astra;
pub mod mount;
pub mod script;
pub mod targets;
