//! Roles and static roles as they are stored, and what they grant: which Astra roles a credential
//! gets, from which config, for how long.

pub(super) mod access;
pub(super) mod access_error;
mod active_limit;
pub(super) mod astra_role;
pub(super) mod coverage;
mod credential;
pub(super) mod custom_role;
pub(super) mod database;
pub(super) mod drift;
mod entry;
mod error;
pub(super) mod grant;
pub(super) mod policy;
mod policy_error;
mod policy_owner;
mod previous_token;
mod registry;
pub(super) mod resolve;
mod static_entry;
mod static_registry;
#[cfg(test)]
mod tests;
mod token_admin;

pub(super) use active_limit::ActiveLimits;
pub(super) use active_limit::Permit;
pub(super) use credential::Credential;
pub(super) use custom_role::CustomRoles;
pub(super) use custom_role::PolicyRole;
pub(super) use drift::Comparisons;
pub(super) use entry::DatabaseChoice;
pub(super) use entry::RoleEntry;
pub(super) use error::RoleError;
pub(super) use grant::Granted;
pub(super) use policy_owner::PolicyOwner;
pub(super) use previous_token::PreviousToken;
pub(super) use registry::Roles;
pub(super) use static_entry::CurrentToken;
pub(super) use static_entry::MAX_PREVIOUS;
pub(super) use static_entry::StaticRoleEntry;
pub(super) use static_registry::StaticRoles;
pub(super) use token_admin::TokenAdmins;
