//! Mistakes in an engine's declarations.

use crate::vault::Error;

/// Why an engine cannot be built.  Always the engine author's fault, and always found at start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DefinitionError {
    /// A default that its own field refuses.
    #[error("path {path:?}: the default of field {field:?} does not convert: {cause}")]
    BadDefault {
        /// The path's template.
        path: String,
        /// The field.
        field: String,
        /// Why.
        cause: String,
    },
    /// A template that cannot be read.
    #[error("path {path:?}: {cause}")]
    BadTemplate {
        /// The path's template.
        path: String,
        /// Why.
        cause: String,
    },
    /// A capture of the template without a field of that name.
    #[error("path {path:?} captures {capture:?} but declares no field of that name")]
    CaptureWithoutField {
        /// The path's template.
        path: String,
        /// The capture.
        capture: String,
    },
    /// A create handler that no request would ever reach.
    #[error("path {path:?} handles create but has no existence check")]
    CreateWithoutExistenceCheck {
        /// The path's template.
        path: String,
    },
    /// Two fields of one name.
    #[error("path {path:?} declares field {field:?} twice")]
    DuplicateField {
        /// The path's template.
        path: String,
        /// The field.
        field: String,
    },
    /// Two handlers for one operation.
    #[error("path {path:?} handles {operation} twice")]
    DuplicateOperation {
        /// The path's template.
        path: String,
        /// The operation's word.
        operation: String,
    },
    /// Two paths with one pattern: the second would never be reached.
    #[error("path {path:?} is declared twice")]
    DuplicatePath {
        /// The path's template.
        path: String,
    },
    /// Two secret kinds of one name.
    #[error("secret kind {kind:?} is declared twice")]
    DuplicateSecret {
        /// The kind.
        kind: String,
    },
    /// An existence check sends writes to both operations, but one of them has no handler.
    #[error("path {path:?} has an existence check but does not handle both create and update")]
    ExistenceCheckWithoutWrites {
        /// The path's template.
        path: String,
    },
    /// A list handler on a pattern that no list request matches, for those end in a slash.
    #[error("path {path:?} handles list, so its template has to end in a slash or in a match-all")]
    ListWithoutSlash {
        /// The path's template.
        path: String,
    },
    /// An operation that is never routed by path.
    #[error("path {path:?} cannot handle {operation}: it is not routed by path")]
    NotRouted {
        /// The path's template.
        path: String,
        /// The operation's word.
        operation: String,
    },
    /// A secret kind that cannot be revoked.
    #[error("secret kind {kind:?} has no revoke handler")]
    SecretWithoutRevoke {
        /// The kind.
        kind: String,
    },
}

impl From<DefinitionError> for Error {
    fn from(error: DefinitionError) -> Self {
        Self::Internal(format!("the engine's paths are defined wrong: {error}"))
    }
}
