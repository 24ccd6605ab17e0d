//! Roles: which Astra roles a credential gets, from which config, for how long.

mod abandoned;
mod active;
mod claimant;
mod custom_role;
pub mod database;
mod entry;
pub mod grant;
mod paths;
mod policy;
mod registry;
mod resolve;
mod settle;
#[cfg(test)]
mod tests;
mod unresolved;
mod write;

pub use abandoned::Abandoned;
pub use abandoned::out_of_reach;
pub use active::ActiveLimits;
pub use claimant::Claimant;
pub use custom_role::CustomRoles;
pub use entry::DatabaseChoice;
pub use entry::RoleEntry;
pub use grant::AstraRole;
pub use grant::Grant;
pub use grant::Granted;
pub use grant::PolicyRole;
pub use paths::paths;
pub use registry::Roles;
pub use settle::settle;
pub use settle::settle_one;
