//! Roles: which Astra roles a credential gets, from which config, for how long.

mod active_limit;
mod astra_role;
mod credential;
mod custom_role;
pub mod database;
mod drift;
mod entry;
mod error;
pub mod grant;
mod name;
mod paths;
mod policy;
mod policy_error;
mod policy_owner;
mod realize;
mod reconcile;
mod registry;
mod released_role;
mod resolve;
#[cfg(test)]
mod tests;
mod token_admin;
pub mod unresolved;
mod write;

pub use active_limit::ActiveLimits;
pub use active_limit::Permit;
pub use credential::Credential;
pub use custom_role::Claim;
pub use custom_role::CustomRoles;
pub use custom_role::PendingNote;
pub use custom_role::PolicyRole;
pub use drift::Comparisons;
pub use entry::DatabaseChoice;
pub use entry::RoleEntry;
pub use grant::Grant;
pub use grant::Granted;
pub use paths::paths;
pub use policy_owner::PolicyOwner;
pub use reconcile::reconcile_all;
pub use reconcile::reconcile_one;
pub use registry::Roles;
pub use released_role::ReleasedCustomRole;
pub use released_role::unreachable_role_warning;
pub use token_admin::TokenAdmins;
pub use token_admin::check as check_token_admin;
pub use write::cap_warnings;
