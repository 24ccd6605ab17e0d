//! What is wrong with a policy.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// The form that refusals suggest.
const FORM: &str = "an Astra policy has the lists resources and actions, the text effect, which is \
    \"allow\", and optionally the text description";

/// A policy is refused.
#[derive(Debug, thiserror::Error)]
#[error("policy: {0}")]
pub(super) struct PolicyError(#[from] pub PolicyMistake);

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyMistake {
    /// It cannot be read.
    #[error("the text is not JSON ({0}): {FORM}")]
    NotJson(#[source] serde_json::Error),
    /// It is something else.
    #[error("it is {0}, not a JSON object: {FORM}")]
    NotAnObject(&'static str),
    /// A field that no policy has.
    #[error("\"{0}\" is unknown: {FORM}")]
    UnknownField(String),
    /// A field that each policy has.
    #[error("\"{0}\" is missing: {FORM}")]
    Missing(&'static str),
    /// A field that is to be a text.
    #[error("\"{0}\" is not a text: {FORM}")]
    NotAText(&'static str),
    /// A field that is to be a list.
    #[error("\"{0}\" is not a list of texts: {FORM}")]
    NotAList(&'static str),
    /// A list without anything in it.
    #[error(
        "\"{0}\" is empty, so tokens of the role could do nothing: name at least one of the {0}"
    )]
    Empty(&'static str),
    /// A list with something else in it.
    #[error("\"{0}\" holds something that is not a text, or is an empty one: {FORM}")]
    OddItem(&'static str),
    /// Another effect than the only one.
    #[error(
        "effect is \"{0}\", and Astra knows only \"allow\": write \"allow\", and leave out what is \
         not to be allowed"
    )]
    Effect(String),
    /// An action that is written in another way than Astra's.
    #[error(
        "\"{0}\" is not an action of Astra: those have lower-case letters, digits and hyphens, and \
         * for anything"
    )]
    OddAction(String),
    /// Rights that need the config's permission.
    #[error(
        "its actions allow creating tokens, roles, users or passwords, so its tokens could outlive \
         their lease by making others: leave out org-token-write, org-role-write, org-user-write, \
         org-external-auth-write, org-db-passwordreset and patterns that cover them, or set \
         allow_token_admin=true on the config"
    )]
    GrantsTokenAdmin,
    /// A resource that is none.
    #[error(
        "resource \"{resource}\" does not begin with \"{prefix}\": write for instance \
         \"{prefix}{{{{org_id}}}}:db:*\""
    )]
    NotAResource {
        /// What was sent.
        resource: String,
        /// What resources begin with.
        prefix: &'static str,
    },
    /// A resource of another organization.
    #[error(
        "resource \"{resource}\" is not of organization {org_id}, which config \"{config}\" is \
         for: write {{{{org_id}}}} or {org_id} after \"{prefix}\", or use the other organization's \
         config"
    )]
    Foreign {
        /// What was sent.
        resource: String,
        /// The config's organization.
        org_id: String,
        /// The config.
        config: String,
        /// What resources begin with.
        prefix: &'static str,
    },
}

impl Classified for PolicyError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
