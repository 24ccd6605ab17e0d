//! Roles: which Astra roles a credential gets, from which config, for how long.

mod entry;
mod paths;
mod registry;
mod resolve;

pub use entry::AstraRole;
pub use entry::RoleEntry;
pub use paths::paths;
pub use registry::Roles;
pub use resolve::resolve;
