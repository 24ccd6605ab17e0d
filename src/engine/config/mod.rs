//! Configs: named connections to Astra organizations.

mod archived_command;
mod connection;
mod entry;
mod error;
mod name;
mod paths;
pub mod pending_deletion;
mod registry;
mod remove;
mod verify;
mod write;

pub use connection::Connection;
pub use entry::ConfigEntry;
pub use error::ClientError;
pub use paths::paths;
pub use pending_deletion::PendingDeletions;
pub use registry::Configs;
pub use verify::VerifyError;
pub use verify::verify;

/// The config that is meant where none is named.
pub const DEFAULT: &str = "default";
