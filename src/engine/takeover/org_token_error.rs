//! Why `org/token` gives no token.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// A request to `org/token` that cannot be served.  What is missing is said as the archived engine
/// said it.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrgTokenError {
    /// No organization.
    #[error("please provide an org_id argument")]
    OrganizationMissing,
    /// No role.
    #[error("please provide a role_name argument")]
    RoleMissing,
    /// No name for the token.
    #[error("please provide a logical_name argument")]
    LogicalNameMissing,
    /// The organization was not taken over.
    #[error("the config of organization {0} was not imported: import it, or ask for another one")]
    ConfigNotImported(String),
    /// The role was not taken over.
    #[error("role \"{0}\" was not imported: import it, or read creds/ of another role")]
    RoleNotImported(String),
    /// Nothing is stored any more.
    #[error(
        "no such token is stored, as tokens are not kept any more: write {0}org/token for one of \
         your own, or read {0}static-creds/<name>"
    )]
    NotKept(String),
}

impl Classified for OrgTokenError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
