//! The engine in this process, over storage in memory and the emulator.

#[allow(dead_code, reason = "more than the tests that there are use")]
mod bench;
mod fault_matrix;
