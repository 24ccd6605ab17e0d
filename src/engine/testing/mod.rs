//! Mounted engines for tests: over storage in memory and the emulator in process.

pub mod bench;
pub mod mounted;
mod simulation;

pub use bench::*;
