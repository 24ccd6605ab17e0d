//! Clearing up: what an earlier process left of the intents of one config, and what this one lost.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::InUseTokens;
use super::block::Block;
use super::block::Lost;
use super::ledger::Ledger;
use super::sweep::ClearError;
use super::sweep::Sweep;
use super::sweep::first_error;
use super::tag::BlockId;
use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::engine::failpoint;
use crate::engine::store::Key;
use crate::engine::store::StoreError;

/// How long a used-up block stays in storage, so that a request which the host repeats after a
/// crash still finds its first token.
const KEEP_SPENT: Duration = Duration::from_secs(60);

impl Ledger {
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
        // First the durable note: a snapshot may be taken, or the process may die, while Astra is waited for.
        let saved = self.save().await;
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
        saved?;
        recovered?;
        lost?;
        Ok(spent?)
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
            recovered.unmark_retries(listed);
            recovered.unmark_repeated(listed);
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
        for (block, index, lost) in all {
            // Elsewhere it stays for the time when the config is for that organization again.
            if !sweep.is_in(block.org_id.as_deref()).await? {
                continue;
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
        known?;
        Ok(unknown?)
    }

    /// Makes durable what was lost, in each block that has something lost.
    async fn save(&self) -> Result<(), StoreError> {
        let mut saved = Ok(());
        for block in self.blocks() {
            saved = saved.and(block.save().await);
        }
        saved
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
