//! What the emulated service knows.

pub(crate) mod bundle_source;
pub(crate) mod collections;
pub(crate) mod database;
pub(crate) mod journal;
pub(crate) mod org;
pub(crate) mod records;
pub(crate) mod role;
pub(crate) mod seeds;
pub(crate) mod service_state;
pub(crate) mod token;
