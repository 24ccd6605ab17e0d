//! The engine in this process, over storage in memory and the emulator.

#[allow(dead_code, reason = "more than the tests that there are use")]
mod bench;
mod config;
mod credential;
mod damage;
mod discovery;
mod fault_matrix;
mod interleavings;
mod lease;
mod mint;
mod standby;
mod storage_faults;
