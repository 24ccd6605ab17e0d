//! Configs: named connections to Astra organizations.

mod connection;
mod entry;
mod paths;
mod registry;
mod remove;
mod verify;
mod write;

pub use connection::Connection;
pub use entry::ConfigEntry;
pub use paths::paths;
pub use registry::Configs;
pub use registry::Readable;
pub use verify::verify;

/// The config that is meant where none is named.
pub const DEFAULT: &str = "default";
