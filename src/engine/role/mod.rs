//! Roles: which Astra roles a credential gets, from which config, for how long.

mod active;
mod custom_role;
mod database;
mod entry;
mod paths;
mod policy;
mod registry;
mod resolve;
mod settle;
#[cfg(test)]
mod tests;
mod unresolved;
mod write;

pub use active::ActiveLimits;
pub use custom_role::CustomRoles;
pub use entry::AstraRole;
pub use entry::DatabaseChoice;
pub use entry::PolicyRole;
pub use entry::RoleEntry;
pub use paths::paths;
pub use registry::Roles;
pub use resolve::resolve;
pub use settle::settle;
