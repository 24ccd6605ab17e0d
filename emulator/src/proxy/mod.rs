//! A proxy that leads Astra's own host names to the emulator: a client that keeps to
//! `HTTPS_PROXY` needs no other address.

mod certificate;
mod tunnel;

pub(crate) use tunnel::run;
