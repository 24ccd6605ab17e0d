//! The shape of a refusal, which depends on the operation.

use crate::knobs::IamErrors;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::router::Family;

/// How a refusal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalShape {
    /// `{"errors":[{"ID":…,"message":…}]}`.
    Errors,
    /// A JSON string.
    String,
    /// `text/plain`.
    Text,
}

impl RefusalShape {
    /// The shape that `endpoint` answers.
    ///
    /// Databases always answer errors objects. For the IAM services reports differ by operation
    /// (issues of the Terraform provider from 2021 to 2023: a string where a token is created and
    /// for roles, and no string where tokens are listed); that is what `mixed` follows.
    pub(super) fn of(endpoint: &Endpoint, iam: IamErrors) -> Self {
        match (endpoint.family(), iam, endpoint) {
            (Family::Database, _, _) | (_, IamErrors::Errors, _) => Self::Errors,
            (_, IamErrors::Mixed, Endpoint::ListTokens | Endpoint::DeleteToken(_)) => Self::Errors,
            (_, IamErrors::Mixed | IamErrors::String, _) => Self::String,
            (_, IamErrors::Text, _) => Self::Text,
        }
    }

    pub(super) fn reply(self, status: u16, message: &str) -> Reply {
        match self {
            Self::Errors => Reply::errors(status, u32::from(status) * 100, message),
            Self::String => Reply::string(status, message),
            Self::Text => Reply::text(status, message),
        }
    }
}
