//! What an earlier process of this mount left behind in one config.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::block::BlockEntry;
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

/// The blocks that were in storage when this process first looked.
pub struct Leftovers {
    config: String,
    blocks: Vec<Leftover>,
    /// Tokens of those blocks as Astra listed them, by the request they were minted for: if the
    /// host repeats the request, nobody received them.
    by_request: Option<HashMap<RequestMark, Vec<String>>>,
}

struct Leftover {
    id: BlockId,
    entry: BlockEntry,
    clean_since: Option<Instant>,
}

impl Leftovers {
    /// Reads the blocks of `config` that are in storage, except `own` ones.
    pub async fn load(store: &Store, config: &str) -> Result<Self, StoreError> {
        let mut blocks = Vec::new();
        for name in store.list(&Key::intents(config)).await? {
            let Some(id) = BlockId::parse(&name) else {
                continue;
            };
            if let Some(entry) = store.get(&Key::intent(config, id.as_str())).await? {
                blocks.push(Leftover {
                    id,
                    entry,
                    clean_since: None,
                });
            }
        }
        Ok(Self {
            config: config.to_owned(),
            blocks,
            by_request: None,
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

    /// Remembers which listed tokens belong to which request of the earlier process.
    pub fn note(&mut self, mount: &MountId, tokens: &[TokenEntry]) {
        let mut by_request: HashMap<RequestMark, Vec<String>> = HashMap::new();
        for (tag, token) in tagged(mount, tokens) {
            if self.blocks.iter().any(|block| block.id == tag.block) {
                by_request
                    .entry(tag.request)
                    .or_default()
                    .push(token.client_id.clone());
            }
        }
        self.by_request = Some(by_request);
    }

    /// Takes the tokens that were minted for `request` by the earlier process.
    pub fn take(&mut self, request: &RequestMark) -> Vec<String> {
        self.by_request
            .as_mut()
            .and_then(|map| map.remove(request))
            .unwrap_or_default()
    }

    /// The listed tokens that were minted but never marked done: nobody received them.
    pub fn unmarked(&self, mount: &MountId, tokens: &[TokenEntry]) -> Vec<String> {
        let is_unmarked = |tag: &Tag| {
            self.blocks
                .iter()
                .any(|block| block.id == tag.block && !block.entry.is_done(tag.index))
        };
        tagged(mount, tokens)
            .filter(|(tag, _)| is_unmarked(tag))
            .map(|(_, token)| token.client_id.clone())
            .collect()
    }

    /// Called when a list was clean, or was made clean: removes the entries of blocks for which
    /// that has been so for [`SETTLE`].
    pub async fn settle(&mut self, store: &Store) -> Result<(), StoreError> {
        let now = Instant::now();
        for block in &mut self.blocks {
            block.clean_since.get_or_insert(now);
        }
        while let Some(place) = self.blocks.iter().position(|block| block.is_settled(now)) {
            let id = self.blocks[place].id.clone();
            store
                .delete(&Key::intent(&self.config, id.as_str()))
                .await?;
            self.blocks.remove(place);
        }
        if self.blocks.is_empty() {
            self.by_request = None;
        }
        Ok(())
    }
}

impl Leftover {
    fn is_settled(&self, now: Instant) -> bool {
        self.clean_since
            .is_some_and(|since| now.duration_since(since) >= SETTLE)
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
