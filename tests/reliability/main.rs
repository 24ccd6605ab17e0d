//! The promises of `docs/internals/reliability.md`, tested by breaking the engine on purpose in a
//! real Vault and counting what remains.
//!
//! Every test compares, token by token, what Vault leases with what the emulated Astra holds. What
//! a test measured it prints, so run with `--nocapture` to see figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod binary;
mod clusters;
mod failpoints;
mod kills;
mod load;
mod mass_expiry;
mod reconciliation;
mod setup;
mod soak;
mod tidy;
mod window;
