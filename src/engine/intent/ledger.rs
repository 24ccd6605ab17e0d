//! The intents of one config.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::HeldTokens;
use super::block::Block;
use super::block::Intent;
use super::block::Lost;
use super::leftover::Leftovers;
use super::leftover::SETTLE;
use super::leftover::tagged;
use super::tag::MountId;
use super::tag::RequestMark;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::crash;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How long a used-up block stays in storage, so that a request which the host repeats after a
/// crash still finds its first token.
const KEEP_SPENT: Duration = Duration::from_secs(60);

/// Hands out intents for one config and clears up behind those whose mint came to nothing.
pub struct Ledger {
    config: String,
    store: Store,
    mount: MountId,
    /// The block that intents are taken from.
    current: Mutex<Option<Arc<Block>>>,
    /// All blocks of this process, and since when each is used up.
    blocks: Mutex<Vec<(Arc<Block>, Option<Instant>)>>,
    /// Held while a new block is reserved.
    reserving: tokio::sync::Mutex<()>,
    /// What an earlier process left; read at first use.
    leftovers: tokio::sync::Mutex<Option<Leftovers>>,
}

/// Why clearing up must be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// The host's storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Astra did not list or delete.
    #[error(transparent)]
    Astra(#[from] crate::astra::Error),
}

impl Ledger {
    /// The ledger of `config` in the mount with id `mount`.
    pub fn new(config: &str, store: Store, mount: MountId) -> Self {
        Self {
            config: config.to_owned(),
            store,
            mount,
            current: Mutex::new(None),
            blocks: Mutex::new(Vec::new()),
            reserving: tokio::sync::Mutex::new(()),
            leftovers: tokio::sync::Mutex::new(None),
        }
    }

    /// The mount whose tags the tokens bear.
    pub fn mount(&self) -> &MountId {
        &self.mount
    }

    /// An intent for one mint; durable when this returns.
    pub async fn begin(&self) -> Result<Intent, StoreError> {
        loop {
            if let Some(intent) = self.take() {
                return Ok(intent);
            }
            let reserving = self.reserving.lock().await;
            // Whoever held the lock before may have reserved a block for all who waited.
            if let Some(intent) = self.take() {
                return Ok(intent);
            }
            // Blocks in storage before the first own one are an earlier process's: read them
            // before there are own ones to tell apart.
            drop(self.load_leftovers().await?);
            let block = Arc::new(Block::reserve(&self.store, &self.config).await?);
            lock(&self.blocks).push((Arc::clone(&block), None));
            *lock(&self.current) = Some(block);
            drop(reserving);
        }
    }

    /// Deletes the token of the first try of a request that the host repeats after a crash.
    pub async fn undo_first_try(
        &self,
        client: &Client,
        request: &RequestMark,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let first_tries = {
            let mut slot = self.load_leftovers().await?;
            let Some(leftovers) = slot.as_mut().filter(|leftovers| !leftovers.is_empty()) else {
                return Ok(());
            };
            if !leftovers.is_noted() {
                leftovers.note(&self.mount, &client.tokens(deadline).await?);
            }
            leftovers.take(request)
        };
        for client_id in first_tries {
            tracing::info!(
                client_id,
                "deleting the token of a request that the host repeats"
            );
            client.delete_token(&client_id, deadline).await?;
        }
        Ok(())
    }

    /// One round of clearing up: what an earlier process left, what this one lost, and blocks that
    /// are used up.
    ///
    /// Tokens that are `held` are in use by the mount itself and stay, whatever their intent says: a
    /// process can die between storing such a token and marking its intent.
    pub async fn clear(
        &self,
        client: &Client,
        held: &HeldTokens,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let mut listed = None;
        // What fails in one step must not keep the next from its work.
        let leftovers = self
            .clear_leftovers(client, held, &mut listed, deadline)
            .await;
        let lost = self.clear_lost(client, held, &mut listed, deadline).await;
        let spent = self.retire_spent().await;
        leftovers?;
        lost?;
        Ok(spent?)
    }

    /// The mount goes away in an orderly manner: removes the blocks that are of no more use, so
    /// that the next process has nothing to look for.
    pub async fn close(&self) {
        *lock(&self.current) = None;
        for block in self.blocks() {
            if let Err(error) = block.retire().await {
                tracing::debug!(%error, "a block of intents stays for the next process");
            }
        }
    }

    /// How many tokens may exist although nobody holds them, as far as is known.
    pub async fn pending(&self) -> Result<usize, StoreError> {
        let leftovers = self
            .load_leftovers()
            .await?
            .as_ref()
            .map_or(0, Leftovers::len);
        let lost: usize = self.blocks().iter().map(|block| block.lost().len()).sum();
        Ok(leftovers + lost)
    }

    fn take(&self) -> Option<Intent> {
        lock(&self.current).as_ref().and_then(Block::take)
    }

    fn blocks(&self) -> Vec<Arc<Block>> {
        lock(&self.blocks)
            .iter()
            .map(|(block, _)| Arc::clone(block))
            .collect()
    }

    async fn load_leftovers(
        &self,
    ) -> Result<tokio::sync::MutexGuard<'_, Option<Leftovers>>, StoreError> {
        let mut slot = self.leftovers.lock().await;
        if slot.is_none() {
            *slot = Some(Leftovers::load(&self.store, &self.config).await?);
        }
        Ok(slot)
    }

    async fn clear_leftovers(
        &self,
        client: &Client,
        held: &HeldTokens,
        listed: &mut Option<Vec<TokenEntry>>,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let mut slot = self.load_leftovers().await?;
        let Some(leftovers) = slot.as_mut().filter(|leftovers| !leftovers.is_empty()) else {
            return Ok(());
        };
        let tokens = list_once(client, listed, deadline).await?;
        if !leftovers.is_noted() {
            leftovers.note(&self.mount, tokens);
        }
        let mut unmarked = leftovers.unmarked(&self.mount, tokens);
        unmarked.retain(|client_id| !held.contains(client_id));
        if !unmarked.is_empty() {
            tracing::info!(
                config = self.config,
                tokens = unmarked.len(),
                "deleting tokens that nobody received"
            );
        }
        delete_all(client, &unmarked, deadline).await?;
        crash::point("tick.token-deleted");
        Ok(leftovers.settle(&self.store).await?)
    }

    async fn clear_lost(
        &self,
        client: &Client,
        held: &HeldTokens,
        listed: &mut Option<Vec<TokenEntry>>,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let mut result = Ok(());
        for block in self.blocks() {
            for (index, lost) in block.lost() {
                let cleared = self.clear_one(client, held, listed, &block, index, &lost, deadline);
                result = result.and(cleared.await);
            }
        }
        Ok(result?)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one lost token and what is needed to find it"
    )]
    async fn clear_one(
        &self,
        client: &Client,
        held: &HeldTokens,
        listed: &mut Option<Vec<TokenEntry>>,
        block: &Block,
        index: u16,
        lost: &Lost,
        deadline: Deadline,
    ) -> Result<(), crate::astra::Error> {
        // A known client id needs no search.
        if let Some(client_id) = lost
            .client_id
            .as_ref()
            .filter(|id| !held.contains(id.as_str()))
        {
            client.delete_token(client_id, deadline).await?;
            block.found(index);
            return Ok(());
        }
        let found: Vec<String> = tagged(&self.mount, list_once(client, listed, deadline).await?)
            .filter(|(tag, _)| tag.block == block.id && tag.index == index)
            .map(|(_, token)| token.client_id.clone())
            .filter(|client_id| !held.contains(client_id))
            .collect();
        delete_all(client, &found, deadline).await?;
        if lost.since.elapsed() >= SETTLE {
            block.found(index);
        }
        Ok(())
    }

    async fn retire_spent(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut old = Vec::new();
        {
            let mut blocks = lock(&self.blocks);
            for (block, spent) in blocks.iter_mut().filter(|(block, _)| block.is_spent()) {
                if now.duration_since(*spent.get_or_insert(now)) >= KEEP_SPENT {
                    old.push(Arc::clone(block));
                }
            }
        }
        for block in old {
            if block.retire().await? {
                lock(&self.blocks).retain(|(other, _)| !Arc::ptr_eq(other, &block));
            }
        }
        Ok(())
    }
}

async fn list_once<'a>(
    client: &Client,
    listed: &'a mut Option<Vec<TokenEntry>>,
    deadline: Deadline,
) -> Result<&'a [TokenEntry], crate::astra::Error> {
    if listed.is_none() {
        *listed = Some(client.tokens(deadline).await?);
        crash::point("tick.listed");
    }
    Ok(listed.as_deref().unwrap_or_default())
}

async fn delete_all(
    client: &Client,
    client_ids: &[String],
    deadline: Deadline,
) -> Result<(), crate::astra::Error> {
    let deletions = client_ids
        .iter()
        .map(|client_id| client.delete_token(client_id, deadline));
    join_all(deletions)
        .await
        .into_iter()
        .try_for_each(|deleted| deleted.map(drop))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
