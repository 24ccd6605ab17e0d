//! What the host wants done.

/// The `operation` word of a request (docs/internals/protocol.md, "Operations").
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// A write to something that the existence check did not find.
    Create,
    /// HTTP DELETE.
    Delete,
    /// `path-help`, and the host's own collection of the OpenAPI document.
    Help,
    /// LIST, or GET with `list=true`.
    List,
    /// HTTP PATCH with a merge patch.
    Patch,
    /// HTTP GET.
    Read,
    /// The lease machinery extends a lease.
    Renew,
    /// The lease machinery ends a lease.
    Revoke,
    /// The host's tick, about once a minute.
    Rollback,
    /// A write to something that exists, or whose path has no existence check.
    Update,
    /// A word that this crate does not know.
    Other(String),
}

impl From<&str> for Operation {
    /// The operation for the host's word.
    fn from(word: &str) -> Self {
        match word {
            "create" => Self::Create,
            "delete" => Self::Delete,
            "help" => Self::Help,
            "list" => Self::List,
            "patch" => Self::Patch,
            "read" => Self::Read,
            "renew" => Self::Renew,
            "revoke" => Self::Revoke,
            "rollback" => Self::Rollback,
            "update" => Self::Update,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Operation {
    /// The host's word for the operation.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Help => "help",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
            Self::Rollback => "rollback",
            Self::Update => "update",
            Self::Other(word) => word,
        }
    }
}
