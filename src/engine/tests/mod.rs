//! The engine in this process, over storage in memory and the emulator.

mod archived_commands;
mod config;
mod config_changes;
mod credential;
mod damage;
mod discovery;
mod expiry;
mod fault_matrix;
mod generated_on;
mod inputs;
mod inputs_by_field;
mod inputs_by_kind;
mod interleavings;
mod lease;
mod metrics;
mod mint;
mod organizations;
mod parameters;
mod shared_lists;
mod standby;
mod storage_faults;
mod untried;
