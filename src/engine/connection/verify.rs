//! Trying a root token before it is stored.

use time::OffsetDateTime;

use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Error;
use crate::astra::Role;
use crate::astra::TokenEntry;
use crate::engine::clock::Clock;
use crate::engine::lifetime::Lifetime;

/// What the trial of a root token shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verified {
    /// The organization that it belongs to.
    pub org_id: String,
    /// When Astra ends it, by the clock of this node; `None` where it does not.
    pub expires_at: Option<OffsetDateTime>,
    /// The ids of its own Astra roles; empty where Astra does not list it.
    pub role_ids: Vec<String>,
    /// The organization's roles.
    pub roles: Vec<Role>,
}

/// Uses the client's token for all that the engine will need, without changing anything, and
/// returns what that shows.
pub(crate) async fn verify(
    client: &Client,
    clock: &Clock,
    deadline: Deadline,
) -> Result<Verified, VerifyError> {
    let org_id = client
        .current_org(deadline)
        .await
        .map_err(|error| VerifyError::new("does not work", error))?;
    let roles = client
        .roles(deadline)
        .await
        .map_err(|error| VerifyError::new("cannot list the organization's roles", error))?;
    // The list is asked for even if the token's form does not show which of them it is.
    let own = client
        .token(client.root_client_id().unwrap_or_default(), deadline)
        .await
        .map_err(|error| VerifyError::new("cannot list tokens (org-token-read)", error))?;
    match client.try_token_write(deadline).await {
        Ok(()) => {}
        // Perhaps this is how Astra answers for a token that does not exist.
        Err(Error::Forbidden { status: 403, .. }) if may_write(&roles, own.as_ref()) => {}
        Err(error) => {
            let step = "cannot create and delete tokens (org-token-write)";
            return Err(VerifyError::new(step, error));
        }
    }
    Ok(Verified {
        org_id,
        expires_at: own
            .as_ref()
            .and_then(|own| own.token_expiry)
            .map(|expiry| end(expiry, client, clock)),
        role_ids: own.map(|own| own.roles).unwrap_or_default(),
        roles,
    })
}

/// When a token ends by the clock of this node, by which rotations fall due.
fn end(expiry: OffsetDateTime, client: &Client, clock: &Clock) -> OffsetDateTime {
    let now = clock.now();
    Lifetime::rest(expiry, client.astra_time(), now).end(now)
}

/// Whether the roles of the client's own token show that it may create and delete tokens.
fn may_write(roles: &[Role], own: Option<&TokenEntry>) -> bool {
    let has = |role: &Role| own.is_some_and(|own| own.roles.contains(&role.id));
    roles.iter().filter(|role| has(role)).any(|role| {
        role.policy
            .as_ref()
            .is_some_and(|policy| policy.allows("org-token-write"))
    })
}

/// The step that failed and why.
#[derive(Debug, thiserror::Error)]
#[error("the root token {step}: {cause}")]
pub(crate) struct VerifyError {
    step: &'static str,
    cause: Error,
}

impl VerifyError {
    /// Whether Astra does not know the token; of a new token that may pass.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(self.cause, Error::Unauthorized { .. })
    }

    fn new(step: &'static str, cause: Error) -> Self {
        Self { step, cause }
    }
}
