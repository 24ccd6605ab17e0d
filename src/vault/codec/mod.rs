//! Between these types and the wire (docs/internals/protocol.md, "Messages").
//!
//! Decoding is tolerant of what hosts send; encoding cannot produce what hosts choke on: JSON text is
//! always an object and a lease always carries its issue time.

mod duration;
mod error;
mod events;
mod host_connection;
mod request;
mod response;
mod storage;
mod system;

pub use error::encode_error;
pub use events::HostEvents;
pub use host_connection::Connect;
pub use host_connection::HostConnection;
pub use request::DecodeError;
pub use request::decode_request;
pub use response::Context;
pub use response::encode_existence;
pub use response::encode_outcome;
pub use response::encode_paths;
pub use storage::HostStorage;
pub use system::HostSystem;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
