//! Roles and static roles as they are stored, and what they grant: which Astra roles a credential
//! gets, from which config, for how long.

pub mod access;
pub mod access_error;
mod active_limit;
pub mod astra_role;
pub mod coverage;
mod credential;
pub mod custom_role;
pub mod database;
pub mod drift;
mod entry;
mod error;
pub mod grant;
pub mod policy;
mod policy_error;
mod policy_owner;
mod registry;
pub mod resolve;
mod static_entry;
mod static_registry;
#[cfg(test)]
mod tests;
mod token_admin;

pub use active_limit::ActiveLimits;
pub use active_limit::Permit;
pub use credential::Credential;
pub use custom_role::CustomRoles;
pub use custom_role::PolicyRole;
pub use drift::Comparisons;
pub use entry::DatabaseChoice;
pub use entry::RoleEntry;
pub use error::RoleError;
pub use grant::Granted;
pub use policy_owner::PolicyOwner;
pub use registry::Roles;
pub use static_entry::CurrentToken;
pub use static_entry::MAX_PREVIOUS;
pub use static_entry::PreviousToken;
pub use static_entry::StaticRoleEntry;
pub use static_registry::StaticRoles;
pub use token_admin::TokenAdmins;
