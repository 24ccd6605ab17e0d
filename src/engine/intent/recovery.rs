//! What an earlier process of this mount left behind in one config.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::BlockEntry;
use super::tag::BlockId;
use super::tag::MountId;
use super::tag::Owner;
use super::tag::RequestMark;
use super::tag::Tag;
use crate::astra::TokenEntry;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How long a create that no one waits for any more may still take effect in Astra: twice the
/// longest operation (docs/internals/architecture.md, "Intents"). Until then a clean list proves
/// nothing.
pub(crate) const LATE_CREATE_WINDOW: Duration = Duration::from_secs(120);

/// How many repeated requests are remembered: the host repeats what a crash interrupted before all else.
const MAX_RETRIES: usize = 4_096;

/// The blocks that were in storage when this process first looked.
pub(super) struct RecoveredBlocks {
    blocks: Vec<RecoveredBlock>,
    /// That of the blocks which are reserved from now on.
    next_generation: u64,
    /// Tokens of those blocks as Astra listed them, sorted by the request they were minted for: if the
    /// host repeats the request, no caller received them.
    by_request: Option<Vec<TaggedToken>>,
    /// Requests that the host may have repeated: Astra may show what the first try made only later.
    pending_retries: HashSet<RequestMark>,
}

/// A listed token with a tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TaggedToken {
    /// What its description says of its origin.
    pub tag: Tag,
    /// Its client id.
    pub client_id: Box<str>,
}

impl TaggedToken {
    /// What `token` is, if it has one.
    pub(super) fn of(token: &TokenEntry) -> Option<Self> {
        Some(Self {
            tag: Tag::parse(token.description.as_deref()?)?,
            client_id: token.client_id.as_str().into(),
        })
    }

    /// Finds the tokens of the `blocks` of `mount` in a list.
    pub(super) fn select(
        mount: MountId,
        blocks: BTreeSet<BlockId>,
    ) -> impl Fn(&TokenEntry) -> Option<Self> + Send + Sync {
        move |token| {
            let block = Tag::block_in(token.description.as_deref()?)?;
            // The rest of a tag is read, and kept, of few.
            if !blocks.contains(&block) {
                return None;
            }
            Self::of(token).filter(|token| token.tag.mount == mount && token.tag.block == block)
        }
    }
}

struct RecoveredBlock {
    id: BlockId,
    entry: BlockEntry,
    clean_since: Option<Instant>,
}

impl RecoveredBlocks {
    /// Reads the blocks of `config` that are in storage.
    ///
    /// A block that cannot be read does not say which of its tokens were handed out, so none of
    /// them may be deleted: it is left alone, and each of its tokens ends at its own expiry.
    pub(super) async fn load(store: &Store, config: &str) -> Result<Self, StoreError> {
        let mut blocks = Vec::new();
        for name in store.list(&Key::intents(config)).await? {
            let Some(id) = BlockId::parse(&name) else {
                continue;
            };
            match store.get(&Key::intent(config, id)).await {
                Ok(Some(entry)) => blocks.push(RecoveredBlock {
                    id,
                    entry,
                    clean_since: None,
                }),
                Ok(None) => {}
                Err(error @ StoreError::Storage(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(config, %error, "intents of an earlier process cannot be \
                        cleared up");
                }
            }
        }
        let newest = blocks.iter().map(|block| block.entry.generation).max();
        Ok(Self {
            blocks,
            next_generation: newest.map_or(0, |newest| newest.saturating_add(1)),
            by_request: None,
            pending_retries: HashSet::new(),
        })
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The generation of blocks that are reserved from now on.
    pub(super) fn next_generation(&self) -> u64 {
        self.next_generation
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether [`RecoveredBlocks::note`] has seen a list.
    pub(super) fn is_noted(&self) -> bool {
        self.by_request.is_some()
    }

    /// The blocks.
    pub(super) fn ids(&self) -> BTreeSet<BlockId> {
        self.blocks.iter().map(|block| block.id).collect()
    }

    /// The blocks, each with the organization of its tokens.
    pub(super) fn organizations(&self) -> Vec<(BlockId, Option<String>)> {
        let blocks = self.blocks.iter();
        blocks
            .map(|block| (block.id, block.entry.org_id.clone()))
            .collect()
    }

    /// Remembers, the first time, which listed tokens of the mount belong to which request of the
    /// earlier process.
    pub(super) fn note(&mut self, listed: &[TaggedToken]) {
        if self.is_noted() {
            return;
        }
        let ids = self.ids();
        let ours = listed.iter().filter(|token| ids.contains(&token.tag.block));
        let mut noted: Vec<TaggedToken> = ours.cloned().collect();
        noted.sort_unstable_by_key(|token| token.tag.request);
        self.by_request = Some(noted);
    }

    /// The host may have repeated `request`: whatever the earlier process minted for it, no one
    /// received.  What a list shows of it from now on, clearing up deletes.
    pub(super) fn remember_retry(&mut self, request: &RequestMark) {
        if self.pending_retries.len() < MAX_RETRIES {
            self.pending_retries.insert(*request);
        }
    }

    /// Of the `listed` tokens, those that were minted for a remembered request count as received by no
    /// caller.
    pub(super) fn unmark_retries(&mut self, listed: &[TaggedToken]) {
        for TaggedToken { tag, .. } in listed {
            if self.pending_retries.contains(&tag.request) {
                self.unmark(tag);
            }
        }
    }

    /// Where several of the `listed` tokens were minted for one request, only one of the last process that
    /// minted for it can have been received: the host repeats a request that got no answer.  That process
    /// may have died before a list showed it the first token.
    pub(super) fn unmark_repeated(&mut self, listed: &[TaggedToken]) {
        let without_request = RequestMark::of("");
        let generations: HashMap<BlockId, u64> = self
            .blocks
            .iter()
            .map(|block| (block.id, block.entry.generation))
            .collect();
        let of_request = |token: &TaggedToken| {
            let Tag { owner, request, .. } = token.tag;
            let generation = generations.get(&token.tag.block)?;
            (request != without_request).then_some(((owner, request), *generation))
        };
        let mut last: HashMap<(Owner, RequestMark), u64> = HashMap::new();
        for (request, generation) in listed.iter().filter_map(of_request) {
            let last = last.entry(request).or_default();
            *last = generation.max(*last);
        }
        for token in listed {
            let of_request = of_request(token);
            if of_request.is_some_and(|(request, generation)| generation < last[&request]) {
                self.unmark(&token.tag);
            }
        }
    }

    fn unmark(&mut self, tag: &Tag) {
        if let Some(block) = self.blocks.iter_mut().find(|block| block.id == tag.block) {
            block.entry.unmark(tag.index);
        }
    }

    /// Takes the tokens that were minted for `request` by the earlier process.  Their marks go: from
    /// now on they count as received by no caller, so that clearing up deletes them if the caller fails
    /// to.
    pub(super) fn take(&mut self, request: &RequestMark) -> Vec<TaggedToken> {
        let Some(noted) = &mut self.by_request else {
            return Vec::new();
        };
        let begin = noted.partition_point(|token| token.tag.request < *request);
        let end = noted.partition_point(|token| token.tag.request <= *request);
        let taken: Vec<TaggedToken> = noted.drain(begin..end).collect();
        for TaggedToken { tag, .. } in &taken {
            self.unmark(tag);
        }
        taken
    }

    /// The block's entry as it should be stored.
    pub(super) fn entry(&self, id: &BlockId) -> Option<BlockEntry> {
        let block = self.blocks.iter().find(|block| block.id == *id)?;
        Some(block.entry.clone())
    }

    /// The listed tokens that were minted but never marked done: no caller received them.  Storage that was
    /// restored from a snapshot knows no marks that were set after it, so there only those count that were
    /// lost before it.
    pub(super) fn unmarked(&self, listed: &[TaggedToken]) -> Vec<TaggedToken> {
        let by_id: BTreeMap<BlockId, &BlockEntry> = self
            .blocks
            .iter()
            .map(|block| (block.id, &block.entry))
            .collect();
        let of_dead = |token: &'_ &TaggedToken| by_id.get(&token.tag.block).copied();
        // One newer token proves that somebody restored storage: then no mark of its block counts.
        let restored: BTreeSet<BlockId> = listed
            .iter()
            .filter(|token| {
                of_dead(token).is_some_and(|entry| entry.is_older_than(token.tag.write))
            })
            .map(|token| token.tag.block)
            .collect();
        for block in &restored {
            tracing::warn!(
                block = %block,
                "a token is newer than the stored intents, so storage was restored from a snapshot, or somebody made up the \
                 token's description: of the block's tokens only those are deleted that were lost before"
            );
        }
        listed
            .iter()
            .filter(|token| {
                let Tag {
                    block,
                    index,
                    write,
                    ..
                } = token.tag;
                of_dead(token).is_some_and(|entry| match restored.contains(&block) {
                    true => entry.is_lost(index, write),
                    false => !entry.is_done(index),
                })
            })
            .cloned()
            .collect()
    }

    /// Called when a list was clean, or was made clean: the blocks of `listed`, the organization's own,
    /// for which that has been so for `window`.
    pub(super) fn clean_for(
        &mut self,
        window: Duration,
        listed: &BTreeSet<BlockId>,
    ) -> Vec<BlockId> {
        let now = Instant::now();
        let mut finished = Vec::new();
        for block in self
            .blocks
            .iter_mut()
            .filter(|block| listed.contains(&block.id))
        {
            let since = *block.clean_since.get_or_insert(now);
            if now.duration_since(since) >= window {
                finished.push(block.id);
            }
        }
        finished
    }

    /// The block's entry is removed from storage.
    pub(super) fn remove(&mut self, id: &BlockId) {
        self.blocks.retain(|block| block.id != *id);
        if self.blocks.is_empty() {
            self.by_request = None;
            self.pending_retries.clear();
        }
    }
}
