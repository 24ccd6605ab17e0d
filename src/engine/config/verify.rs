//! Trying a root token before it is stored.

use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Error;

/// Uses the client's token for all that the engine will need, without changing anything, and
/// returns the id of the organization that it belongs to.
pub async fn verify(client: &Client, deadline: Deadline) -> Result<String, VerifyError> {
    let token_org = client
        .current_org(deadline)
        .await
        .map_err(|error| VerifyError::new("does not work", error))?;
    client
        .roles(deadline)
        .await
        .map_err(|error| VerifyError::new("cannot list the organization's roles", error))?;
    client
        .tokens(deadline)
        .await
        .map_err(|error| VerifyError::new("cannot list tokens (org-token-read)", error))?;
    match client.delete_token(&nobodys_client_id(), deadline).await {
        Err(error @ (Error::Forbidden { .. } | Error::Unauthorized { .. })) => Err(
            VerifyError::new("cannot create and delete tokens (org-token-write)", error),
        ),
        // Which other answer an unknown id gets is not documented (docs/astra-api.md); only a
        // refusal says something about the right.
        _ => Ok(token_org),
    }
}

/// The step that failed and why.
#[derive(Debug, thiserror::Error)]
#[error("the root token {step}: {cause}")]
pub struct VerifyError {
    step: &'static str,
    cause: Error,
}

impl VerifyError {
    /// Whether Astra does not know the token; of a new token that may pass.
    pub fn is_rejection(&self) -> bool {
        matches!(self.cause, Error::Unauthorized { .. })
    }

    fn new(step: &'static str, cause: Error) -> Self {
        Self { step, cause }
    }
}

/// A well-formed client id that no token has: 24 letters, chosen at random.
fn nobodys_client_id() -> String {
    uuid::Uuid::new_v4()
        .as_bytes()
        .iter()
        .chain(uuid::Uuid::new_v4().as_bytes())
        .take(24)
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}
