//! The intents of one config.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::InUseTokens;
use super::block::Block;
use super::block::Intent;
use super::block::IntentCounts;
use super::block::Lost;
use super::recovery::LATE_CREATE_WINDOW;
use super::recovery::RecoveredBlocks;
use super::recovery::TaggedToken;
use super::sweep::Sweep;
use super::sweep::first_error;
use super::tag::BlockId;
use super::tag::MountId;
use super::tag::RequestMark;
use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::engine::failpoint;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How long a used-up block stays in storage, so that a request which the host repeats after a
/// crash still finds its first token.
const KEEP_SPENT: Duration = Duration::from_secs(60);

/// How long a request can be one that the host repeats after a crash: it gives a request up after 90 s.
const REPEATED: Duration = Duration::from_secs(90);

/// Hands out intents for one config and clears up behind those whose mint came to nothing.
pub(crate) struct Ledger {
    config: String,
    store: Store,
    mount: MountId,
    /// The block that intents are taken from.
    current: Mutex<Option<Arc<Block>>>,
    /// All blocks of this process, and since when each is used up.
    blocks: Mutex<Vec<(Arc<Block>, Option<Instant>)>>,
    /// Held while a new block is reserved.
    reserving: tokio::sync::Mutex<()>,
    /// What an earlier process left; read when this one first mints or clears up.
    recovered: OnceCell<Mutex<RecoveredBlocks>>,
    /// How long a create that no one waits for any more may still take effect.
    late_create_window: Duration,
    /// Since when this process has used it.
    since: Instant,
    counts: Arc<IntentCounts>,
}

/// The intents of a config in numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LedgerCounts {
    /// Mints in flight.
    pub open: usize,
    /// Tokens that may exist although no one holds them, as far as this process knows.
    pub pending: usize,
    /// Lost by this process.
    pub lost: u64,
    /// Of those cleared up.
    pub cleared: u64,
}

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

impl Ledger {
    /// The ledger of `config` in the mount with id `mount`.
    pub(crate) fn new(config: &str, store: Store, mount: MountId) -> Self {
        Self {
            config: config.to_owned(),
            store,
            mount,
            current: Mutex::new(None),
            blocks: Mutex::new(Vec::new()),
            reserving: tokio::sync::Mutex::new(()),
            recovered: OnceCell::new(),
            late_create_window: LATE_CREATE_WINDOW,
            since: Instant::now(),
            counts: Arc::default(),
        }
    }

    /// The ledger with another time than [`LATE_CREATE_WINDOW`].
    pub(crate) fn with_late_create_window(self, late_create_window: Duration) -> Self {
        Self {
            late_create_window,
            ..self
        }
    }

    /// The mount whose tags the tokens carry.
    pub(crate) fn mount(&self) -> MountId {
        self.mount
    }

    /// An intent for one mint in the organization with id `org_id`, where that is known; durable when this
    /// returns.
    pub(crate) async fn begin(&self, org_id: Option<&str>) -> Result<Intent, StoreError> {
        loop {
            if let Some(block) = self.current(org_id) {
                block.refresh().await?;
            }
            if let Some(intent) = self.take(org_id) {
                return Ok(intent);
            }
            let reserving = self.reserving.lock().await;
            // The task that held the lock before may have reserved a block for all that waited.
            if let Some(intent) = self.take(org_id) {
                return Ok(intent);
            }
            // Blocks in storage before the first own one are an earlier process's: read them
            // before there are own ones to tell apart.
            self.recovered().await?;
            let block = Block::reserve(&self.store, &self.config, org_id).await?;
            let block = Arc::new(block.counted_in(&self.counts));
            self.blocks.lock().push((Arc::clone(&block), None));
            let former = self.current.lock().replace(block);
            // It may be another organization's, and have intents left.
            if let Some(former) = former {
                former.end();
            }
            drop(reserving);
        }
    }

    /// Deletes the token of the first try of a request that the host repeats after a crash.
    ///
    /// Later than [`REPEATED`] no request can be such a one, so mints go on although tokens cannot be
    /// listed.
    pub(crate) async fn undo_first_try(
        &self,
        client: &Client,
        request: &RequestMark,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let recovered = self.recovered().await?;
        if recovered.lock().is_empty() || self.since.elapsed() >= REPEATED {
            return Ok(());
        }
        if !recovered.lock().is_noted() {
            // Should the list fail, no one repeats the request once more: it is left to the ticks.
            recovered.lock().remember_retry(request);
            let look = TaggedToken::select(self.mount, recovered.lock().ids());
            match client.shared_tokens(look, deadline).await {
                Ok(listed) => recovered.lock().note(&listed),
                Err(error) if error.is_retryable() => return Err(error.into()),
                // Where lists are refused permanently, a mint must not be refused as well.
                Err(error) => {
                    tracing::warn!(config = self.config, %error, "a repeated request's first token \
                        cannot be looked for");
                    return Ok(());
                }
            }
        }
        let first_tries = recovered.lock().take(request);
        for TaggedToken { tag, client_id } in first_tries {
            let client_id = client_id.as_ref();
            tracing::info!(
                client_id,
                "deleting the token of a request that the host repeats"
            );
            // Also if this process dies before the token is deleted, the next one is to delete it.
            let entry = recovered.lock().entry(&tag.block);
            if let Some(entry) = entry {
                let key = Key::intent(&self.config, tag.block);
                if let Err(error) = self.store.put(&key, &entry).await {
                    tracing::warn!(client_id, %error, "the intent of a repeated request could not \
                        be noted");
                }
            }
            client.delete_token(client_id, deadline).await?;
        }
        Ok(())
    }

    /// One sweep: what an earlier process left, what this one lost, and blocks that
    /// are used up.
    ///
    /// Tokens that are `in_use` by the mount itself stay, whatever their intent says: a
    /// process can die between storing such a token and marking its intent.
    pub(crate) async fn clear(
        &self,
        client: &Client,
        in_use: &InUseTokens,
        deadline: Deadline,
    ) -> Result<(), ClearError> {
        let lost = self.lost();
        // What is lost from now on is looked for by the next sweep.
        let mut wanted: BTreeSet<BlockId> = lost.iter().map(|(block, _, _)| block.id).collect();
        // Where they cannot be read, the step that is for them says so.
        if let Ok(recovered) = self.recovered().await {
            wanted.append(&mut recovered.lock().ids());
        }
        let sweep = Sweep {
            client,
            in_use,
            deadline,
            mount: self.mount,
            wanted,
            listed: OnceCell::new(),
        };
        // What fails in one step must not keep the next from its work.
        let recovered = self.clear_recovered(&sweep).await;
        let lost = self.clear_lost(&sweep, lost).await;
        let spent = self.retire_spent().await;
        recovered?;
        lost?;
        Ok(spent?)
    }

    /// The mount goes away in an orderly manner: removes the blocks that are of no more use, so
    /// that the next process has nothing to look for.
    pub(crate) async fn close(&self) {
        *self.current.lock() = None;
        for block in self.blocks() {
            let retired = match block.retire().await {
                // What is lost stays for the next process, which knows only what is in storage.
                Ok(false) => block.save().await,
                other => other.map(drop),
            };
            if let Err(error) = retired {
                tracing::debug!(%error, "a block of intents stays for the next process");
            }
        }
    }

    /// The intents in numbers, without a look at storage.
    pub(crate) fn counts(&self) -> LedgerCounts {
        let recovered = self.recovered.get().map_or(0, |found| found.lock().len());
        let lost: usize = self.blocks().iter().map(|block| block.lost().len()).sum();
        LedgerCounts {
            open: self.open(),
            pending: recovered + lost,
            lost: self.counts.lost.load(Ordering::Relaxed),
            cleared: self.counts.cleared.load(Ordering::Relaxed),
        }
    }

    /// How many mints are in flight.
    pub(crate) fn open(&self) -> usize {
        self.blocks().iter().map(|block| block.open()).sum()
    }

    /// How many tokens may exist although no one holds them, as far as is known.
    pub(crate) async fn pending(&self) -> Result<usize, StoreError> {
        // A node that only reads may ask too.  What it sees is not kept: by the time it clears up, the
        // storage has other blocks.
        let recovered = match self.recovered.get() {
            Some(recovered) => recovered.lock().len(),
            None => RecoveredBlocks::load(&self.store, &self.config)
                .await?
                .len(),
        };
        let lost: usize = self.blocks().iter().map(|block| block.lost().len()).sum();
        Ok(recovered + lost)
    }

    fn take(&self, org_id: Option<&str>) -> Option<Intent> {
        self.current(org_id).as_ref().and_then(Block::take)
    }

    /// The block that intents for the organization are taken from.
    fn current(&self, org_id: Option<&str>) -> Option<Arc<Block>> {
        let current = self.current.lock();
        let block = current.as_ref()?;
        (block.org_id.as_deref() == org_id).then(|| Arc::clone(block))
    }

    fn blocks(&self) -> Vec<Arc<Block>> {
        self.blocks
            .lock()
            .iter()
            .map(|(block, _)| Arc::clone(block))
            .collect()
    }

    async fn recovered(&self) -> Result<&Mutex<RecoveredBlocks>, StoreError> {
        self.recovered
            .get_or_try_init(|| async {
                let recovered = RecoveredBlocks::load(&self.store, &self.config).await?;
                Ok(Mutex::new(recovered))
            })
            .await
    }

    async fn clear_recovered(&self, sweep: &Sweep<'_>) -> Result<(), ClearError> {
        let recovered = self.recovered().await?;
        let blocks = recovered.lock().organizations();
        let mut here = BTreeSet::new();
        for (id, org_id) in blocks {
            if sweep.is_in(org_id.as_deref()).await? {
                here.insert(id);
            }
        }
        if here.is_empty() {
            return Ok(());
        }
        let listed = sweep.listed().await?;
        let mut unmarked = {
            let mut recovered = recovered.lock();
            recovered.note(listed);
            recovered.take_retries();
            recovered.unmarked(listed)
        };
        for token in &unmarked {
            if sweep.in_use.is_undecided(token) {
                here.remove(&token.tag.block);
            }
        }
        unmarked.retain(|token| !sweep.in_use.protects(token));
        let unmarked: Vec<String> = unmarked
            .iter()
            .map(|token| token.client_id.to_string())
            .collect();
        if !unmarked.is_empty() {
            tracing::info!(
                config = self.config,
                tokens = unmarked.len(),
                "deleting tokens that no caller received"
            );
        }
        sweep.delete_all(&unmarked).await?;
        let finished = recovered.lock().clean_for(self.late_create_window, &here);
        for id in finished {
            self.store.delete(&Key::intent(&self.config, id)).await?;
            failpoint::hit("tick.block-removed");
            recovered.lock().remove(&id);
        }
        Ok(())
    }

    /// What this process lost.
    fn lost(&self) -> Vec<(Arc<Block>, u16, Lost)> {
        let of_block = |block: Arc<Block>| {
            let lost = block.lost().into_iter();
            lost.map(move |(index, lost)| (Arc::clone(&block), index, lost))
        };
        self.blocks().into_iter().flat_map(of_block).collect()
    }

    async fn clear_lost(
        &self,
        sweep: &Sweep<'_>,
        all: Vec<(Arc<Block>, u16, Lost)>,
    ) -> Result<(), ClearError> {
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        let mut saved = Ok(());
        for block in self.blocks() {
            saved = saved.and(block.save().await);
        }
        for (block, index, lost) in all {
            match sweep.is_in(block.org_id.as_deref()).await {
                Ok(true) => {}
                // It stays for the time when the config is for that organization again.
                Ok(false) => continue,
                Err(error) => {
                    saved?;
                    return Err(error.into());
                }
            }
            match lost.client_id {
                // A known client id needs no search.
                Some(client_id) if !sweep.in_use.contains(&client_id) => {
                    known.push((block, index, client_id, lost.since));
                }
                _ => unknown.push((block, index, lost.since)),
            }
        }
        let known = known
            .into_iter()
            .map(|(block, index, client_id, since)| async move {
                // Astra may show it only later.
                let is_gone = match sweep.delete_one(&client_id).await? {
                    Deletion::Deleted => true,
                    Deletion::AlreadyAbsent(_) => since.elapsed() >= self.late_create_window,
                };
                if is_gone {
                    block.found(index);
                }
                Ok(())
            });
        let known = first_error(join_all(known).await);
        let unknown = self.search(sweep, unknown).await;
        saved?;
        known?;
        Ok(unknown?)
    }

    /// Looks for lost tokens whose client id is not known.
    async fn search(
        &self,
        sweep: &Sweep<'_>,
        lost: Vec<(Arc<Block>, u16, Instant)>,
    ) -> Result<(), astra::Error> {
        if lost.is_empty() {
            return Ok(());
        }
        let listed = sweep.listed().await?;
        let of_lost: HashSet<(BlockId, u16)> = lost
            .iter()
            .map(|(block, index, _)| (block.id, *index))
            .collect();
        let mut by_intent: HashMap<(BlockId, u16), Vec<String>> = HashMap::new();
        let mut undecided: HashSet<(BlockId, u16)> = HashSet::new();
        for token in listed {
            let intent = (token.tag.block, token.tag.index);
            if !of_lost.contains(&intent) {
                continue;
            }
            if sweep.in_use.is_undecided(token) {
                undecided.insert(intent);
            } else if !sweep.in_use.protects(token) {
                let found = by_intent.entry(intent).or_default();
                found.push(token.client_id.to_string());
            }
        }
        let undecided = &undecided;
        let by_intent = &by_intent;
        let searches = lost.into_iter().map(|(block, index, since)| async move {
            let found = by_intent.get(&(block.id, index));
            let found = found.map(Vec::as_slice).unwrap_or_default();
            sweep.delete_all(found).await?;
            let is_decided = !undecided.contains(&(block.id, index));
            if is_decided && since.elapsed() >= self.late_create_window {
                block.found(index);
            }
            Ok(())
        });
        first_error(join_all(searches).await)
    }

    async fn retire_spent(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut old = Vec::new();
        {
            let mut blocks = self.blocks.lock();
            for (block, spent) in blocks.iter_mut().filter(|(block, _)| block.is_spent()) {
                if now.duration_since(*spent.get_or_insert(now)) >= KEEP_SPENT {
                    old.push(Arc::clone(block));
                }
            }
        }
        for block in old {
            if block.retire().await? {
                self.blocks
                    .lock()
                    .retain(|(other, _)| !Arc::ptr_eq(other, &block));
            }
        }
        Ok(())
    }
}
