//! A block of intents, reserved with one durable write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use parking_lot::MutexGuard;
use tokio::time::Instant;

use super::entry::BlockEntry;
use super::entry::SIZE;
use super::tag::BlockId;
use crate::engine::failpoint;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How old the entry may be when an intent is taken: so long that a busy mount never writes for it,
/// and so short that next to no snapshot falls between the last write and the next mint.
pub(super) const REFRESH: Duration = Duration::from_secs(5);

/// A block that this process reserved and whose intents it hands out.
pub(super) struct Block {
    /// The block's id, part of the tag of each of its tokens.
    pub id: BlockId,
    /// The organization that its tokens are minted in, where the config tells.
    pub org_id: Option<String>,
    key: Key,
    store: Store,
    marks: Mutex<Marks>,
    /// The newest version of `marks` that is known to be durable.  Held while writing, so that the
    /// mints which arrive meanwhile share the next write.
    durable: tokio::sync::Mutex<u64>,
    counts: Arc<IntentCounts>,
}

/// How many intents were lost and cleared up, of all blocks of a ledger.
#[derive(Debug, Default)]
pub(super) struct IntentCounts {
    /// Lost, ever.
    pub lost: AtomicU64,
    /// Of them cleared up.
    pub cleared: AtomicU64,
}

/// What became of the intents handed out so far.
struct Marks {
    entry: BlockEntry,
    next: u16,
    open: u16,
    version: u64,
    /// The newest version that is known to be durable, and since when it has been.
    durable: u64,
    written: Instant,
    lost: BTreeMap<u16, Lost>,
}

/// A token that may exist although no one holds it; the next tick looks for it.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    /// Its client id, where Astra's answer told it.
    pub client_id: Option<String>,
    /// When it was lost.
    pub since: Instant,
}

/// One intent, in the hands of one mint.
///
/// A mint ends by [`Intent::complete`], [`Intent::cancel`] or [`Intent::lose`].  An intent that is
/// dropped without any of them counts as lost: its token is looked for.
pub(crate) struct Intent {
    block: Arc<Block>,
    index: u16,
    write: u64,
    state: State,
}

/// What an intent's end leaves to do.
#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    /// Its token counts as lost.
    Open,
    /// It is done, and its answer is on its way.
    Completed,
    /// Nothing.
    Finished,
}

impl Block {
    /// Reserves a new block for `config`; `entry` is durable when this returns.
    pub(super) async fn reserve(
        store: &Store,
        config: &str,
        entry: BlockEntry,
    ) -> Result<Self, StoreError> {
        let id = BlockId::random();
        let key = Key::intent(config, id);
        let org_id = entry.org_id.clone();
        store.put(&key, &entry).await?;
        failpoint::hit("mint.block-reserved");
        let marks = Marks {
            entry,
            next: 0,
            open: 0,
            version: 0,
            durable: 0,
            written: Instant::now(),
            lost: BTreeMap::new(),
        };
        Ok(Self {
            id,
            org_id,
            key,
            store: store.clone(),
            marks: Mutex::new(marks),
            durable: tokio::sync::Mutex::new(0),
            counts: Arc::default(),
        })
    }

    /// The block with the counts that its intents are counted in.
    pub(super) fn counted_in(self, counts: &Arc<IntentCounts>) -> Self {
        Self {
            counts: Arc::clone(counts),
            ..self
        }
    }

    /// The next free intent; `None` when the block is used up.
    pub(super) fn take(self: &Arc<Self>) -> Option<Intent> {
        let mut marks = self.marks();
        if marks.next >= SIZE {
            return None;
        }
        let index = marks.next;
        marks.next += 1;
        marks.open += 1;
        Some(Intent {
            block: Arc::clone(self),
            index,
            write: marks.durable,
            state: State::Open,
        })
    }

    /// Hands out no more intents.
    pub(super) fn end(&self) {
        self.marks().next = SIZE;
    }

    /// How many mints are in flight.
    pub(super) fn open(&self) -> usize {
        usize::from(self.marks().open)
    }

    /// The tokens that may exist although no one holds them.
    pub(super) fn lost(&self) -> Vec<(u16, Lost)> {
        self.marks()
            .lost
            .iter()
            .map(|(index, lost)| (*index, lost.clone()))
            .collect()
    }

    /// Nothing is left of the lost token at `index`.
    pub(super) fn found(&self, index: u16) {
        let mut marks = self.marks();
        if marks.lost.remove(&index).is_some() {
            self.counts.cleared.fetch_add(1, Ordering::Relaxed);
            marks.entry.set(index, true);
            marks.version += 1;
        }
    }

    /// Makes the marks durable if a token of the block is lost: a write that failed may have happened
    /// all the same, and would hide the lost token from the next process; and a snapshot of storage is to
    /// say what was lost before it.
    pub(super) async fn save(&self) -> Result<(), StoreError> {
        let version = {
            let marks = self.marks();
            if marks.lost.is_empty() {
                return Ok(());
            }
            marks.version
        };
        self.flush(version).await?;
        failpoint::hit("block.saved");
        Ok(())
    }

    /// Whether every intent was handed out and is done: the entry is of no more use.
    pub(super) fn is_spent(&self) -> bool {
        let marks = self.marks();
        marks.next >= SIZE && marks.open == 0 && marks.lost.is_empty()
    }

    /// Removes the entry if no intent of the block is open or lost.
    pub(super) async fn retire(&self) -> Result<bool, StoreError> {
        // No flush may follow the delete, or it would bring the entry back.
        let durable = self.durable.lock().await;
        {
            let mut marks = self.marks();
            if marks.open > 0 || !marks.lost.is_empty() {
                return Ok(false);
            }
            marks.next = SIZE;
        }
        self.store.delete(&self.key).await?;
        failpoint::hit("block.retired");
        drop(durable);
        Ok(true)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock()
    }

    /// Returns when version `wanted` of the marks is durable.
    async fn flush(&self, wanted: u64) -> Result<(), StoreError> {
        let mut durable = self.durable.lock().await;
        if *durable >= wanted {
            return Ok(());
        }
        self.write(&mut durable).await
    }

    /// Writes the entry once more if its last write was long ago, so that snapshots of storage which
    /// were taken since are older than the intents that follow.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        if self.marks().written.elapsed() < REFRESH {
            return Ok(());
        }
        let mut durable = self.durable.lock().await;
        {
            let mut marks = self.marks();
            // Others who waited for the same, and a block that is retired: no write may follow its end.
            if marks.written.elapsed() < REFRESH || marks.next >= SIZE {
                return Ok(());
            }
            marks.version += 1;
        }
        self.write(&mut durable).await?;
        failpoint::hit("mint.block-refreshed");
        Ok(())
    }

    async fn write(&self, durable: &mut u64) -> Result<(), StoreError> {
        let (entry, version) = {
            let mut marks = self.marks();
            marks.entry.write = marks.version;
            marks.entry.lost = marks.lost.keys().copied().collect();
            (marks.entry.clone(), marks.version)
        };
        self.store.put(&self.key, &entry).await?;
        *durable = version;
        let mut marks = self.marks();
        marks.durable = version;
        marks.written = Instant::now();
        Ok(())
    }
}

impl Intent {
    /// The block the intent is from.
    pub(crate) fn block(&self) -> BlockId {
        self.block.id
    }

    /// The intent's place in its block.
    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    /// The newest write of the block's entry that was durable when the intent was taken.
    pub(crate) fn write(&self) -> u64 {
        self.write
    }

    /// Marks the intent done, durably.  Only after this may the token be handed out.
    ///
    /// On an error the mark may or may not be durable: the caller must delete the token.
    pub(crate) async fn complete(mut self) -> Result<Completed, (Self, StoreError)> {
        let version = {
            let mut marks = self.block.marks();
            marks.entry.set(self.index, true);
            marks.version += 1;
            marks.version
        };
        match self.block.flush(version).await {
            Ok(()) => {
                self.state = State::Completed;
                Ok(Completed(self))
            }
            Err(error) => {
                let mut marks = self.block.marks();
                marks.entry.set(self.index, false);
                marks.version += 1;
                drop(marks);
                Err((self, error))
            }
        }
    }

    /// The token certainly does not exist: it was never minted, or its deletion is confirmed.
    pub(crate) fn cancel(mut self) {
        self.block.marks().entry.set(self.index, true);
        self.finish();
    }

    /// The token may exist although no one holds it; the next tick looks for it.
    ///
    /// That is noted durably, so that a snapshot of storage says it from now on.  Where it cannot be, the
    /// next tick tries again.
    pub(crate) async fn lose(mut self, client_id: Option<String>) {
        self.mark_lost(client_id);
        if let Err(error) = self.block.save().await {
            tracing::debug!(block = %self.block.id, %error, "a lost token is not noted yet");
        }
    }

    fn mark_lost(&mut self, client_id: Option<String>) {
        let since = Instant::now();
        self.block.counts.lost.fetch_add(1, Ordering::Relaxed);
        {
            let mut marks = self.block.marks();
            marks.lost.insert(self.index, Lost { client_id, since });
            marks.version += 1;
        }
        self.finish();
    }

    fn finish(&mut self) {
        if self.state != State::Finished {
            self.state = State::Finished;
            self.block.marks().open -= 1;
        }
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        match self.state {
            State::Open => self.mark_lost(None),
            State::Completed | State::Finished => self.finish(),
        }
    }
}

/// An intent whose token was about to be handed out.
///
/// While it exists its block is not retired, so that it can be taken back.
pub(crate) struct Completed(Intent);

impl Completed {
    /// Takes the mark back, because the answer could not be delivered: from now on the token
    /// counts as lost, even if this process dies before it is deleted.
    pub(crate) async fn reopen(self) -> (Intent, Result<(), StoreError>) {
        let Self(mut intent) = self;
        intent.state = State::Open;
        let version = {
            let mut marks = intent.block.marks();
            marks.entry.set(intent.index, false);
            marks.version += 1;
            marks.version
        };
        let result = intent.block.flush(version).await;
        (intent, result)
    }
}
