//! The intents of one config.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::block::Block;
use super::block::Intent;
use super::block::IntentCounts;
use super::entry::BlockEntry;
use super::recovery::LATE_CREATE_WINDOW;
use super::recovery::RecoveredBlocks;
use super::recovery::TaggedToken;
use super::sweep::ClearError;
use super::tag::MountId;
use super::tag::RequestMark;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How long a request can be one that the host repeats after a crash: it gives a request up after 90 s.
const REPEATED: Duration = Duration::from_secs(90);

/// Hands out intents for one config and clears up behind those whose mint came to nothing.
pub(crate) struct Ledger {
    pub(super) config: String,
    pub(super) store: Store,
    pub(super) mount: MountId,
    /// The block that intents are taken from.
    current: Mutex<Option<Arc<Block>>>,
    /// All blocks of this process, and since when each is used up.
    pub(super) blocks: Mutex<Vec<(Arc<Block>, Option<Instant>)>>,
    /// Held while a new block is reserved.
    reserving: tokio::sync::Mutex<()>,
    /// What an earlier process left; read when this one first mints or clears up.
    recovered: OnceCell<Mutex<RecoveredBlocks>>,
    /// How long a create that no one waits for any more may still take effect.
    pub(super) late_create_window: Duration,
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
            let generation = self.recovered().await?.lock().next_generation();
            let entry = BlockEntry::new(org_id).of_generation(generation);
            let block = Block::reserve(&self.store, &self.config, entry).await?;
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
        // Should the list fail, or not show the token yet, no one repeats the request once more: it is left
        // to the ticks.
        recovered.lock().remember_retry(request);
        if !recovered.lock().is_noted() {
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

    pub(super) fn blocks(&self) -> Vec<Arc<Block>> {
        self.blocks
            .lock()
            .iter()
            .map(|(block, _)| Arc::clone(block))
            .collect()
    }

    pub(super) async fn recovered(&self) -> Result<&Mutex<RecoveredBlocks>, StoreError> {
        self.recovered
            .get_or_try_init(|| async {
                let recovered = RecoveredBlocks::load(&self.store, &self.config).await?;
                Ok(Mutex::new(recovered))
            })
            .await
    }
}
