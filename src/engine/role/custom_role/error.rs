//! Why Astra does not keep the custom role of a policy.

use crate::astra;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;

/// Astra refused a custom role.
#[derive(Debug, thiserror::Error)]
pub(super) enum CustomRoleError {
    /// The config is being deleted; the deletion may be refused yet.
    #[error("config \"{config}\" is being deleted, so no custom Astra role is made or changed")]
    ConfigEnds {
        /// The config.
        config: String,
    },
    /// The root token lacks the right.
    #[error(
        "policy, access: the root token of config \"{config}\" may not keep custom roles: give it org-role-write and org-role-delete, \
         or use astra_roles instead ({source})"
    )]
    Forbidden {
        /// The config.
        config: String,
        /// What Astra said.
        source: astra::Error,
    },
    /// The policy is of no use to Astra.
    #[error("policy: Astra does not accept it, so correct its resources and actions ({0})")]
    NotAccepted(#[source] astra::Error),
}

impl Classified for CustomRoleError {
    fn fault(&self) -> Fault {
        match self {
            Self::ConfigEnds { .. } => Fault::Overload,
            Self::Forbidden { .. } | Self::NotAccepted(_) => Fault::Caller,
        }
    }
}

/// What a failure in Astra becomes for the caller who writes the role.
pub(super) fn refused(connection: &Connection, error: &astra::Error) -> Error {
    match error {
        astra::Error::Forbidden { .. } => CustomRoleError::Forbidden {
            config: connection.name.clone(),
            source: error.clone(),
        }
        .into(),
        astra::Error::BadRequest { .. } => CustomRoleError::NotAccepted(error.clone()).into(),
        _ => astra_error::request_error(
            "keep the custom Astra role of the policy",
            connection,
            error,
        ),
    }
}
