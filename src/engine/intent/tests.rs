//! Blocks and ledgers over storage in memory; what needs an organization is tested in
//! `engine::tests`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::Ledger;
use super::Owner;
use super::RequestMark;
use super::Tag;
use super::block::Block;
use super::block::Intent;
use super::block::REFRESH;
use super::entry::BlockEntry;
use super::entry::SIZE;
use super::recovery::RecoveredBlocks;
use super::recovery::TaggedToken;
use super::tag::MountId;
use crate::astra::TokenEntry;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::vault::Storage;
use crate::vault::memory::MemoryStorage;
use crate::vault::memory::WriteFault;

fn storage() -> (Arc<MemoryStorage>, Store) {
    let storage = Arc::new(MemoryStorage::new());
    (Arc::clone(&storage), Store::new(storage))
}

async fn stored(store: &Store, intent: &Intent) -> BlockEntry {
    let key = Key::intent("default", intent.block());
    store.get(&key).await.unwrap().expect("the block is stored")
}

async fn stored_of(store: &Store, block: &Block) -> BlockEntry {
    let key = Key::intent("default", block.id);
    store.get(&key).await.unwrap().expect("the block is stored")
}

#[tokio::test]
async fn a_block_is_durable_before_its_first_intent() {
    let (storage, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let intent = ledger.begin(None).await.unwrap();
    assert_eq!(storage.operations().puts, 1);
    assert!(!stored(&store, &intent).await.is_done(intent.index()));
    intent.cancel();
}

#[tokio::test]
async fn a_completed_intent_is_durably_done_and_others_are_not() {
    let (_, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let first = ledger.begin(None).await.unwrap();
    let second = ledger.begin(None).await.unwrap();
    assert_ne!(first.index(), second.index());
    let index = second.index();
    assert!(second.complete().await.is_ok());
    let entry = stored(&store, &first).await;
    assert!(entry.is_done(index));
    assert!(!entry.is_done(first.index()));
    first.cancel();
}

#[tokio::test]
async fn an_intent_whose_mark_cannot_be_stored_comes_back() {
    let (storage, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let intent = ledger.begin(None).await.unwrap();
    let index = intent.index();
    storage.set_read_only(true);
    let Err((intent, error)) = intent.complete().await else {
        panic!("a mark that is not stored is no mark");
    };
    assert_eq!(error.to_string(), "cannot write to readonly storage");
    storage.set_read_only(false);
    // Another mark must not carry the failed one into storage.
    let other = ledger.begin(None).await.unwrap();
    assert!(other.complete().await.is_ok());
    assert!(!stored(&store, &intent).await.is_done(index));
    intent.cancel();
}

#[tokio::test]
async fn a_block_cannot_be_used_when_it_cannot_be_stored() {
    let (storage, store) = storage();
    storage.set_write_fault(Some(WriteFault::refuse_puts_after(0)));
    let ledger = Ledger::new("default", store, MountId::random());
    assert!(ledger.begin(None).await.is_err());
    storage.set_write_fault(None);
    ledger.begin(None).await.unwrap().cancel();
}

#[tokio::test]
async fn intents_that_finish_together_share_writes() {
    let storage = Arc::new(MemoryStorage::new());
    storage.set_yields(true);
    let store = Store::new(Arc::clone(&storage) as _);
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let mut intents = Vec::new();
    for _ in 0..100 {
        intents.push(ledger.begin(None).await.unwrap());
    }
    let indexes: Vec<u16> = intents.iter().map(Intent::index).collect();
    let block = intents[0].block();
    let before = storage.operations().puts;
    let completed = join_all(intents.into_iter().map(Intent::complete)).await;
    assert!(completed.iter().all(Result::is_ok));
    let writes = storage.operations().puts - before;
    assert!(writes <= 2, "100 marks took {writes} writes");
    let entry: BlockEntry = store
        .get(&Key::intent("default", block))
        .await
        .unwrap()
        .unwrap();
    assert!(indexes.iter().all(|index| entry.is_done(*index)));
}

#[tokio::test]
async fn a_used_up_block_is_followed_by_another_and_can_be_retired() {
    let (storage, store) = storage();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    for index in 0..SIZE {
        let intent = block.take().expect("an intent");
        assert_eq!(intent.index(), index);
        assert!(!block.is_spent());
        intent.cancel();
    }
    assert!(block.take().is_none());
    assert!(block.is_spent());
    assert_eq!(block.retire().await.ok(), Some(true));
    assert_eq!(storage.keys(), Vec::<String>::new());

    let ledger = Ledger::new("default", store, MountId::random());
    let first = ledger.begin(None).await.unwrap().block();
    for _ in 1..SIZE {
        ledger.begin(None).await.unwrap().cancel();
    }
    let next = ledger.begin(None).await.unwrap();
    assert_ne!(next.block(), first);
    next.cancel();
}

#[tokio::test]
async fn each_organization_has_blocks_of_its_own() {
    let (storage, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let first = ledger.begin(Some("one")).await.unwrap();
    let second = ledger.begin(Some("two")).await.unwrap();
    let third = ledger.begin(Some("two")).await.unwrap();
    assert_ne!(first.block(), second.block());
    assert_eq!(second.block(), third.block());
    let org_of = async |intent| stored(&store, intent).await.org_id;
    assert_eq!(org_of(&first).await.as_deref(), Some("one"));
    assert_eq!(org_of(&second).await.as_deref(), Some("two"));
    for intent in [first, second, third] {
        intent.cancel();
    }
    ledger.close().await;
    assert_eq!(storage.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_intent_counts_as_lost_and_keeps_its_block() {
    let (_, store) = storage();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    let intent = block.take().unwrap();
    let index = intent.index();
    drop(intent);
    let lost: Vec<u16> = block.lost().into_iter().map(|(index, _)| index).collect();
    assert_eq!(lost, [index]);
    assert_eq!(block.retire().await.ok(), Some(false));
    block.found(index);
    assert!(block.lost().is_empty());
    assert_eq!(block.retire().await.ok(), Some(true));
}

#[tokio::test]
async fn a_reopened_intent_is_durably_not_done() {
    let (_, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    let intent = ledger.begin(None).await.unwrap();
    let index = intent.index();
    let Ok(completed) = intent.complete().await else {
        panic!("storage works");
    };
    let (intent, noted) = completed.reopen().await;
    assert!(noted.is_ok());
    assert!(!stored(&store, &intent).await.is_done(index));
    intent.cancel();
}

#[tokio::test]
async fn an_orderly_end_leaves_no_block_but_one_with_work() {
    let (storage, store) = storage();
    let ledger = Ledger::new("default", store.clone(), MountId::random());
    assert!(ledger.begin(None).await.unwrap().complete().await.is_ok());
    ledger.close().await;
    assert_eq!(storage.keys(), Vec::<String>::new());

    let open = ledger.begin(None).await.unwrap();
    ledger.close().await;
    assert_eq!(storage.keys().len(), 1);
    open.cancel();
}

/// What Astra lists for `intent`.
fn listed(mount: MountId, intent: &Intent) -> TaggedToken {
    TaggedToken::of(&entry(mount, intent)).unwrap()
}

fn entry(mount: MountId, intent: &Intent) -> TokenEntry {
    let tag = Tag {
        mount,
        owner: Owner::of("default", "reader"),
        block: intent.block(),
        index: intent.index(),
        write: intent.write(),
        request: RequestMark::of("request"),
    };
    TokenEntry {
        client_id: format!("token-{}", intent.index()),
        description: Some(format!("{tag} reader")),
        generated_on: None,
        roles: Vec::new(),
        token_expiry: None,
    }
}

#[tokio::test]
async fn storage_restored_from_a_snapshot_condemns_no_token_minted_since() {
    let (storage, store) = storage();
    let mount = MountId::random();
    let ledger = Ledger::new("default", store.clone(), mount);
    let in_flight = ledger.begin(None).await.unwrap();
    let mut tokens = vec![listed(mount, &in_flight)];
    let recovered = async || RecoveredBlocks::load(&store, "default").await.unwrap();
    // After a crash now, the token in flight was received by no caller.
    assert_eq!(recovered().await.unmarked(&tokens), tokens[..1]);

    let key = format!("v1/intent/default/{}", in_flight.block());
    let snapshot = storage.get(&key).await.unwrap().unwrap();
    for _ in 0..2 {
        let intent = ledger.begin(None).await.unwrap();
        tokens.push(listed(mount, &intent));
        assert!(intent.complete().await.is_ok());
    }
    assert_eq!(recovered().await.unmarked(&tokens), tokens[..1]);
    storage.put(snapshot).await.unwrap();
    let restored = recovered().await;
    assert!(restored.unmarked(&tokens).is_empty());
    in_flight.cancel();
}

/// The host repeats a request that got no answer.  Within one process a mint is tried again as well, and
/// Astra may make the token of a lost try last.
#[tokio::test]
async fn of_two_tokens_for_one_request_that_of_the_earlier_process_was_not_received() {
    let (_, store) = storage();
    let mount = MountId::random();
    let mut tokens = Vec::new();
    for _process in 0..3 {
        let ledger = Ledger::new("default", store.clone(), mount);
        for _try in 0..2 {
            let intent = ledger.begin(None).await.unwrap();
            tokens.push(listed(mount, &intent));
            assert!(intent.complete().await.is_ok());
        }
    }
    let mut recovered = RecoveredBlocks::load(&store, "default").await.unwrap();
    assert!(recovered.unmarked(&tokens).is_empty());
    tokens.reverse();
    recovered.unmark_repeated(&tokens[..2]);
    assert!(recovered.unmarked(&tokens).is_empty(), "of one process");
    recovered.unmark_repeated(&tokens);
    assert_eq!(
        recovered.unmarked(&tokens),
        tokens[2..],
        "of the earlier ones"
    );
}

/// Which of several unmarked tokens no caller received, storage says also where it was restored: that
/// was so when the snapshot was taken, and stays so.
#[tokio::test]
async fn what_was_lost_before_a_snapshot_goes_after_its_restore() {
    let (storage, store) = storage();
    let mount = MountId::random();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    let lost = block.take().unwrap();
    let in_flight = block.take().unwrap();
    let late = block.take().unwrap();
    let mut tokens = vec![
        listed(mount, &lost),
        listed(mount, &in_flight),
        listed(mount, &late),
    ];
    let key = format!("v1/intent/default/{}", block.id);
    lost.lose(None).await;
    let snapshot = storage.get(&key).await.unwrap().unwrap();

    assert!(in_flight.complete().await.is_ok());
    late.lose(None).await;
    let next = block.take().unwrap();
    tokens.push(listed(mount, &next));
    assert!(next.complete().await.is_ok());
    let recovered = async || RecoveredBlocks::load(&store, "default").await.unwrap();
    let both = [tokens[0].clone(), tokens[2].clone()];
    assert_eq!(recovered().await.unmarked(&tokens), both);

    storage.put(snapshot).await.unwrap();
    assert_eq!(recovered().await.unmarked(&tokens), tokens[..1]);

    // What was cleared up is not named any longer.
    block.found(0);
    block.save().await.unwrap();
    let left: Vec<u16> = stored_of(&store, &block).await.lost.into_iter().collect();
    assert_eq!(left, [2]);
}

/// A description that somebody made up, with a newer write than that of the entry, does not count.
#[tokio::test]
async fn an_intent_that_is_lost_was_taken_before_the_entry_said_so() {
    let (_, store) = storage();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    block.take().unwrap().lose(None).await;
    let entry = stored_of(&store, &block).await;
    assert!(entry.is_lost(0, 0) && entry.is_lost(0, entry.write));
    assert!(!entry.is_lost(0, entry.write + 1) && !entry.is_lost(1, 0));
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_an_intent_follows_a_write_of_its_own() {
    let (storage, store) = storage();
    let ledger = Ledger::new("default", store, MountId::random());
    let first = ledger.begin(None).await.unwrap();
    let second = ledger.begin(None).await.unwrap();
    assert_eq!((first.write(), second.write()), (0, 0));
    assert_eq!(storage.operations().puts, 1);
    tokio::time::advance(REFRESH + Duration::from_secs(1)).await;
    let third = ledger.begin(None).await.unwrap();
    assert_eq!((third.write(), storage.operations().puts), (1, 2));
    for intent in [first, second, third] {
        intent.cancel();
    }
}

#[tokio::test]
async fn a_mint_does_not_wait_for_the_write_of_another_while_the_entry_is_new() {
    let (storage, store) = storage();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    storage.set_yields(true);
    let mut completing = std::pin::pin!(block.take().unwrap().complete());
    assert!((&mut completing).now_or_never().is_none(), "it writes");
    let refreshed = block.refresh().now_or_never();
    assert!(refreshed.is_some_and(|refreshed| refreshed.is_ok()));
    assert!(completing.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_many_that_find_an_old_entry_one_writes() {
    let (storage, store) = storage();
    storage.set_yields(true);
    let block = Block::reserve(&store, "default", BlockEntry::new(None))
        .await
        .unwrap();
    tokio::time::advance(REFRESH + Duration::from_secs(1)).await;
    let before = storage.operations().puts;
    let refreshed = join_all((0..20).map(|_| block.refresh())).await;
    assert!(refreshed.iter().all(Result::is_ok));
    assert_eq!(storage.operations().puts - before, 1);
}

#[tokio::test(start_paused = true)]
async fn no_write_brings_a_removed_block_back() {
    let (storage, store) = storage();
    let block = Block::reserve(&store, "default", BlockEntry::new(None))
        .await
        .unwrap();
    assert_eq!(block.retire().await.ok(), Some(true));
    tokio::time::advance(REFRESH + Duration::from_secs(1)).await;
    assert!(block.refresh().await.is_ok());
    assert_eq!(storage.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_pending_is_what_was_left_behind_and_what_was_lost_since() {
    let (_, store) = storage();
    let former = Ledger::new("default", store.clone(), MountId::random());
    let left = former.begin(None).await.unwrap();
    let ledger = Ledger::new("default", store, MountId::random());
    for _ in 0..2 {
        ledger.begin(None).await.unwrap().lose(None).await;
    }
    assert_eq!(ledger.counts().pending, 3);
    assert_eq!(ledger.pending().await.unwrap(), 3);
    left.cancel();
}

#[tokio::test]
async fn a_token_is_found_by_its_mount_and_block_together() {
    let (_, store) = storage();
    let mount = MountId::random();
    let ledger = Ledger::new("default", store.clone(), mount);
    let (one, two) = (
        ledger.begin(Some("one")).await.unwrap(),
        ledger.begin(Some("two")).await.unwrap(),
    );
    let look = TaggedToken::select(mount, [one.block()].into());
    assert!(look(&entry(mount, &one)).is_some());
    assert!(look(&entry(mount, &two)).is_none());
    assert!(look(&entry(MountId::random(), &one)).is_none());
    one.cancel();
    two.cancel();
}

#[test]
fn an_index_beyond_the_entry_was_never_handed_out() {
    let entry = BlockEntry::new(None);
    assert!(!entry.is_done(SIZE - 1));
    assert!(entry.is_done(SIZE));
    assert!(entry.is_done(u16::MAX));
}

#[tokio::test]
async fn a_block_stays_while_an_answer_of_it_may_be_taken_back() {
    let (_, store) = storage();
    let block = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    let Ok(completed) = block.take().unwrap().complete().await else {
        panic!("storage works");
    };
    while let Some(intent) = block.take() {
        intent.cancel();
    }
    assert!(!block.is_spent());
    assert_eq!(block.retire().await.ok(), Some(false));
    let (intent, noted) = completed.reopen().await;
    assert!(noted.is_ok());
    assert!(!stored(&store, &intent).await.is_done(intent.index()));
    intent.lose(None).await;
    assert!(!block.is_spent(), "the lost token is looked for");
    block.found(0);
    // An answer that is delivered holds nothing.
    let other = Arc::new(
        Block::reserve(&store, "default", BlockEntry::new(None))
            .await
            .unwrap(),
    );
    assert!(other.take().unwrap().complete().await.is_ok());
    assert_eq!(other.retire().await.ok(), Some(true));
    assert_eq!(block.retire().await.ok(), Some(true));
}
