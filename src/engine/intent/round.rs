//! One round of clearing up behind mints that came to nothing.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use super::HeldTokens;
use super::ledger::Ledger;
use super::leftover::Sighting;
use super::tag::BlockId;
use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::engine::crash;

/// One round of clearing up.
pub struct Round<'a> {
    /// Whose.
    pub ledger: &'a Ledger,
    /// Where tokens are listed and deleted.
    pub client: &'a Client,
    /// What stays, whatever its intent says.
    pub held: &'a HeldTokens,
    /// When it has to end.
    pub deadline: Deadline,
    /// The blocks whose tokens are looked for.
    pub wanted: BTreeSet<BlockId>,
    /// Their tokens, asked for once: also a failure is not worth a second try in one round.
    pub listed: OnceCell<Result<Vec<Sighting>, astra::Error>>,
}

impl Round<'_> {
    /// The tokens of the wanted blocks.
    pub async fn listed(&self) -> Result<&[Sighting], astra::Error> {
        let list = || {
            let look = self.ledger.look(self.wanted.clone());
            self.client.shared_tokens(look, self.deadline)
        };
        let listed = self.listed.get_or_init(list).await;
        crash::point("tick.listed");
        listed.as_deref().map_err(Clone::clone)
    }

    /// Deletes one token.
    pub async fn delete_one(&self, client_id: &str) -> Result<(), astra::Error> {
        self.client.delete_token(client_id, self.deadline).await?;
        crash::point("tick.token-deleted");
        Ok(())
    }

    /// Deletes tokens side by side; tells the first error once all have been tried.
    pub async fn delete_all(&self, client_ids: &[String]) -> Result<(), astra::Error> {
        let deletions = client_ids
            .iter()
            .map(|client_id| self.delete_one(client_id));
        first_error(join_all(deletions).await)
    }
}

/// The first error, if there is one.
pub fn first_error(results: Vec<Result<(), astra::Error>>) -> Result<(), astra::Error> {
    results.into_iter().collect()
}
