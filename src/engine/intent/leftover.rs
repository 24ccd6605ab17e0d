//! What an earlier process of this mount left behind in one config.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::BlockEntry;
use super::tag::BlockId;
use super::tag::MountId;
use super::tag::RequestMark;
use super::tag::Tag;
use crate::astra::TokenEntry;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// How long a create that nobody waits for any more may still take effect in Astra: twice the
/// longest operation (docs/architecture.md, "Intents").  Until then a clean list proves nothing.
pub const SETTLE: Duration = Duration::from_secs(120);

/// How many requests can be owed: the host repeats what a crash interrupted before all else.
const OWED: usize = 4_096;

/// The blocks that were in storage when this process first looked.
pub struct Leftovers {
    blocks: Vec<Leftover>,
    /// Tokens of those blocks as Astra listed them, by the request they were minted for: if the
    /// host repeats the request, nobody received them.
    by_request: Option<HashMap<RequestMark, Vec<FirstTry>>>,
    /// Requests whose first try was not undone yet, although whoever asked has gone.
    owed: HashSet<RequestMark>,
}

/// A token of the first try of a request that the host repeats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirstTry {
    /// The token.
    pub client_id: String,
    /// Its block.
    pub block: BlockId,
    index: u16,
}

struct Leftover {
    id: BlockId,
    entry: BlockEntry,
    clean_since: Option<Instant>,
}

impl Leftovers {
    /// Reads the blocks of `config` that are in storage.
    ///
    /// A block that cannot be read does not say which of its tokens were handed out, so none of
    /// them may be deleted: it is left alone, and each of its tokens ends at its own expiry.
    pub async fn load(store: &Store, config: &str) -> Result<Self, StoreError> {
        let mut blocks = Vec::new();
        for name in store.list(&Key::intents(config)).await? {
            let Some(id) = BlockId::parse(&name) else {
                continue;
            };
            match store.get(&Key::intent(config, id.as_str())).await {
                Ok(Some(entry)) => blocks.push(Leftover {
                    id,
                    entry,
                    clean_since: None,
                }),
                Ok(None) => {}
                Err(error @ StoreError::Storage(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(config, %error, "intents of an earlier process cannot be cleared up");
                }
            }
        }
        Ok(Self {
            blocks,
            by_request: None,
            owed: HashSet::new(),
        })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether [`Leftovers::note`] has seen a list.
    pub fn is_noted(&self) -> bool {
        self.by_request.is_some()
    }

    /// Remembers, the first time, which listed tokens belong to which request of the earlier process.
    pub fn note(&mut self, mount: &MountId, tokens: &[TokenEntry]) {
        if self.is_noted() {
            return;
        }
        let mut by_request: HashMap<RequestMark, Vec<FirstTry>> = HashMap::new();
        for (tag, token) in tagged(mount, tokens) {
            if self.blocks.iter().any(|block| block.id == tag.block) {
                by_request.entry(tag.request).or_default().push(FirstTry {
                    client_id: token.client_id.clone(),
                    block: tag.block,
                    index: tag.index,
                });
            }
        }
        self.by_request = Some(by_request);
    }

    /// The host may have repeated `request`: whatever the earlier process minted for it, nobody
    /// received.  Until [`Leftovers::take`] this is left to clearing up.
    pub fn owe(&mut self, request: &RequestMark) {
        if self.owed.len() < OWED {
            self.owed.insert(request.clone());
        }
    }

    /// [`Leftovers::take`] for all requests that are still owed.
    pub fn take_owed(&mut self) {
        for request in std::mem::take(&mut self.owed) {
            self.take(&request);
        }
    }

    /// Takes the tokens that were minted for `request` by the earlier process.  Their marks go: from
    /// now on they count as received by nobody, so that clearing up deletes them if the caller fails
    /// to.
    pub fn take(&mut self, request: &RequestMark) -> Vec<FirstTry> {
        self.owed.remove(request);
        let taken = self
            .by_request
            .as_mut()
            .and_then(|map| map.remove(request))
            .unwrap_or_default();
        for first_try in &taken {
            if let Some(block) = self
                .blocks
                .iter_mut()
                .find(|block| block.id == first_try.block)
            {
                block.entry.unmark(first_try.index);
            }
        }
        taken
    }

    /// The block's entry as it should be stored.
    pub fn entry(&self, id: &BlockId) -> Option<BlockEntry> {
        let block = self.blocks.iter().find(|block| block.id == *id)?;
        Some(block.entry.clone())
    }

    /// The listed tokens that were minted but never marked done: nobody received them.  Storage that was
    /// restored from a snapshot knows no marks of what was minted after it; those tokens stay.
    pub fn unmarked(&self, mount: &MountId, tokens: &[TokenEntry]) -> Vec<String> {
        // One newer token proves that somebody restored storage: then no mark of its block counts.
        let restored: BTreeSet<BlockId> = tagged(mount, tokens)
            .filter(|(tag, _)| {
                let mut blocks = self.blocks.iter();
                blocks.any(|block| block.id == tag.block && block.entry.is_older_than(tag.write))
            })
            .map(|(tag, _)| tag.block)
            .collect();
        let is_unmarked = |tag: &Tag| {
            let mut blocks = self.blocks.iter();
            !restored.contains(&tag.block)
                && blocks.any(|block| block.id == tag.block && !block.entry.is_done(tag.index))
        };
        tagged(mount, tokens)
            .filter(|(tag, _)| is_unmarked(tag))
            .map(|(_, token)| token.client_id.clone())
            .collect()
    }

    /// Called when a list was clean, or was made clean: the blocks for which that has been so for
    /// `settle`.
    pub fn settled(&mut self, settle: Duration) -> Vec<BlockId> {
        let now = Instant::now();
        let mut settled = Vec::new();
        for block in &mut self.blocks {
            let since = *block.clean_since.get_or_insert(now);
            if now.duration_since(since) >= settle {
                settled.push(block.id.clone());
            }
        }
        settled
    }

    /// The block's entry is removed from storage.
    pub fn remove(&mut self, id: &BlockId) {
        self.blocks.retain(|block| block.id != *id);
        if self.blocks.is_empty() {
            self.by_request = None;
            self.owed.clear();
        }
    }
}

/// The tokens that bear a tag of `mount`.
pub fn tagged<'a>(
    mount: &'a MountId,
    tokens: &'a [TokenEntry],
) -> impl Iterator<Item = (Tag, &'a TokenEntry)> {
    tokens.iter().filter_map(move |token| {
        let tag = Tag::parse(token.description.as_deref()?)?;
        (tag.mount == *mount).then_some((tag, token))
    })
}
