//! Roles against an emulator in process.

#![allow(clippy::unwrap_used, clippy::panic)]

mod credentials;
mod limits;
mod policies;
mod writes;
