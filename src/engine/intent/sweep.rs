//! One sweep: deletes the tokens of mints whose answer was lost.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use super::InUseTokens;
use super::recovery::TaggedToken;
use super::tag::BlockId;
use super::tag::MountId;
use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::engine::failpoint;
use crate::engine::store::StoreError;

/// Why clearing up must be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClearError {
    /// The host's storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Astra did not list or delete.
    #[error(transparent)]
    Astra(#[from] astra::Error),
}

/// One sweep.
pub(super) struct Sweep<'a> {
    /// Whose tokens.
    pub mount: MountId,
    /// Where tokens are listed and deleted.
    pub client: &'a Client,
    /// What stays, whatever its intent says.
    pub in_use: &'a InUseTokens,
    /// When it has to end.
    pub deadline: Deadline,
    /// The blocks whose tokens are looked for.
    pub wanted: BTreeSet<BlockId>,
    /// Their tokens, asked for once: also a failure is not worth a second try in one sweep.
    pub listed: OnceCell<Result<Vec<TaggedToken>, astra::Error>>,
}

impl Sweep<'_> {
    /// Whether the organization that is swept is the one with id `org_id`, or no other is known: the list
    /// of another shows nothing of a token.
    pub(super) async fn is_in(&self, org_id: Option<&str>) -> Result<bool, astra::Error> {
        let Some(org_id) = org_id else {
            return Ok(true);
        };
        let own = self.client.own_org(self.deadline).await?;
        Ok(astra::is_same_organization(own, org_id))
    }

    /// The tokens of the wanted blocks.
    pub(super) async fn listed(&self) -> Result<&[TaggedToken], astra::Error> {
        let list = || {
            let look = TaggedToken::select(self.mount, self.wanted.clone());
            self.client.shared_tokens(look, self.deadline)
        };
        let listed = self.listed.get_or_init(list).await;
        failpoint::hit("tick.listed");
        listed.as_deref().map_err(Clone::clone)
    }

    /// Deletes one token.
    pub(super) async fn delete_one(&self, client_id: &str) -> Result<Deletion, astra::Error> {
        let deletion = self.client.delete_token(client_id, self.deadline).await?;
        failpoint::hit("tick.token-deleted");
        Ok(deletion)
    }

    /// Deletes tokens side by side; tells the first error once all have been tried.
    pub(super) async fn delete_all(&self, client_ids: &[String]) -> Result<(), astra::Error> {
        let deletions = client_ids
            .iter()
            .map(async |client_id| self.delete_one(client_id).await.map(drop));
        first_error(join_all(deletions).await)
    }
}

/// The first error, if there is one.
pub(super) fn first_error(results: Vec<Result<(), astra::Error>>) -> Result<(), astra::Error> {
    results.into_iter().collect()
}
