//! The engine in this process, over storage in memory and the emulator.

mod bench;
mod fault_matrix;
