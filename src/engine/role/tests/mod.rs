//! Roles against an emulator in process.

#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod changed_in_astra;
mod cql;
mod credentials;
mod evidence;
mod late_changes;
mod limits;
mod policies;
mod rights;
mod writes;
