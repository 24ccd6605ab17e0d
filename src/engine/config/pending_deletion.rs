//! Root tokens that rotation minted, of configs that were deleted.
//!
//! They are known to nothing but the engine, so they are deleted with their config.  Neither can be
//! done first: without the config its token could be lost, without its token the config is of no
//! use.  So the entry is first stored once more, as a pending deletion, from where the host's ticks
//! finish what a dead process or an outage left.

use futures_util::future::join_all;

use super::error::PendingDeletionError;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::engine::Engine;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::OtherRoots;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::registry::Loaded;
use crate::engine::store::Key;

/// Records durably that the root tokens of `entry` are to be deleted once its config is gone.  The
/// caller holds the lock of its client id.
pub(crate) async fn record(engine: &Engine, entry: &ConfigEntry) -> Result<(), Error> {
    if tokens(entry).next().is_some() {
        let client_id = entry.token_client_id();
        let mut entry = entry.clone();
        // Another config had it before, and left some that are not deleted yet.
        if let Loaded::Valid(noted) = engine.pending_deletions.load(client_id).await? {
            for client_id in &noted.pending_delete {
                if !entry.pending_delete.contains(client_id) {
                    entry.pending_delete.push(client_id.clone());
                }
            }
        }
        engine.pending_deletions.put(client_id, entry).await?;
        failpoint::hit("config.pending-deletion-recorded");
    }
    Ok(())
}

/// The config of `entry` is gone: deletes the root tokens that are known to nothing else.  A failure
/// is a warning, as the ticks try again.  The caller holds the lock of its client id.
pub(crate) async fn run(
    engine: &Engine,
    name: &str,
    entry: &ConfigEntry,
    deadline: Deadline,
) -> Option<String> {
    let error = finish(engine, entry, deadline).await.err()?;
    let ids: Vec<&str> = tokens(entry).collect();
    Some(format!(
        "config \"{name}\" is deleted, but not all root tokens that rotation minted or replaced \
         are yet (client ids {}); the host's ticks try again: {error}",
        ids.join(", ")
    ))
}

/// Finishes what is pending, each deletion side by side with the others.  Failures are logged.
pub(crate) async fn reconcile(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let client_ids = engine.pending_deletions.names().await?;
    let deletions = client_ids.iter().map(|client_id| async move {
        if let Err(error) = reconcile_one(engine, client_id, deadline).await {
            tracing::warn!(client_id, %error, "the root tokens of a deleted config are not deleted \
                yet");
        }
    });
    join_all(deletions).await;
    Ok(())
}

async fn reconcile_one(engine: &Engine, client_id: &str, deadline: Deadline) -> Result<(), Error> {
    // A request that holds it finishes the deletion itself, or leaves it to the next tick.
    let Some(_changing) = engine.pending_deletions.try_lock(client_id) else {
        return Ok(());
    };
    let entry = match engine.pending_deletions.load(client_id).await? {
        Loaded::Valid(entry) => entry,
        // Logged already, and shown by status.
        Loaded::Corrupt(_) | Loaded::Missing => return Ok(()),
    };
    // A deletion that failed may have happened, although the config is shown; or the other way round.
    if !engine.configs.confirm_all().await.is_empty() {
        return Err(PendingDeletionError::PerhapsInUse.into());
    }
    let mut is_hidden = false;
    for (name, config) in engine.configs.load_all().await? {
        match config {
            // Written again with the root token, it may not know of those that this replaced.
            Loaded::Valid(config) if takes_over(&config.entry, &entry) => {
                tracing::info!(
                    config = name,
                    client_id,
                    "a config uses the root token again"
                );
                engine.pending_deletions.delete(client_id).await?;
                failpoint::hit("config.pending-deletion-dropped");
                return Ok(());
            }
            Loaded::Corrupt(corrupt) => is_hidden |= corrupt.is_newer,
            Loaded::Valid(_) | Loaded::Missing => {}
        }
    }
    if is_hidden {
        return Err(PendingDeletionError::PerhapsInUse.into());
    }
    let failures_key = Key::deletion_failures(client_id);
    let failures = Failures::load(&engine.store, &failures_key).await?;
    let now = engine.clock.now();
    if failures.is_some_and(|failures| failures.is_waiting(now)) {
        return Ok(());
    }
    let finished = finish(engine, &entry, deadline).await;
    match &finished {
        Ok(()) => Failures::clear(&engine.store, &failures_key).await,
        Err(error) => Failures::note(&engine.store, &failures_key, error, now, None).await,
    }
    finished
}

/// Whether `config` has the root token of the deleted `entry` and names all else that is to be deleted.
fn takes_over(config: &ConfigEntry, entry: &ConfigEntry) -> bool {
    let mut others = entry.pending_delete.iter();
    config.token_client_id() == entry.token_client_id()
        && others.all(|client_id| config.pending_delete.contains(client_id))
}

/// What only the engine can delete; the root token itself comes last, as it deletes the others.
fn tokens(entry: &ConfigEntry) -> impl Iterator<Item = &str> {
    let own = entry.minted.then(|| entry.token_client_id());
    former(entry).chain(own)
}

/// The root tokens that this one replaced.
fn former(entry: &ConfigEntry) -> impl Iterator<Item = &str> {
    let former = entry.pending_delete.iter().map(String::as_str);
    former.filter(|client_id| *client_id != entry.token_client_id())
}

/// Deletes them all, and then the entry.
async fn finish(engine: &Engine, entry: &ConfigEntry, deadline: Deadline) -> Result<(), Error> {
    let mut clients = clients(engine, entry).await?;
    let own = entry.token_client_id();
    for client_id in former(entry) {
        if !delete(engine, entry, client_id, &mut clients, deadline).await? {
            // A config that is written later may be able to.
            return Err(PendingDeletionError::NoneWorks.into());
        }
    }
    if entry.minted {
        if former(entry).next().is_some() {
            // Once the own one is gone, nothing may be left that tells whether these are.
            let mut left = entry.clone();
            left.pending_delete.clear();
            engine.pending_deletions.put(own, left).await?;
            failpoint::hit("config.former-roots-forgotten");
        }
        // Where no token works any more, this one does not either.
        delete(engine, entry, own, &mut clients, deadline).await?;
    }
    engine.pending_deletions.delete(own).await?;
    failpoint::hit("config.pending-deletion-done");
    Ok(())
}

/// Deletes one of the root tokens of `entry` with the first of `clients` that can, which is then the first
/// to be asked for the next.  Returns whether it is done: not where Astra knows none of their tokens.
async fn delete(
    engine: &Engine,
    entry: &ConfigEntry,
    client_id: &str,
    clients: &mut [Client],
    deadline: Deadline,
) -> Result<bool, Error> {
    // Nothing may begin to use it meanwhile.  The caller holds the lock of the entry's own.
    let is_own = client_id == entry.token_client_id();
    let deleting = engine.pending_deletions.try_lock(client_id);
    if !is_own && deleting.is_none() {
        return Err(PendingDeletionError::BeingWritten.into());
    }
    let others = OtherRoots::than(&engine.configs, "").await?;
    if let Some(config) = others.owner(client_id) {
        tracing::warn!(
            config,
            client_id,
            "a root token of a deleted config stays, as another config has it"
        );
        return Ok(true);
    }
    let is_young = engine.is_young(entry.token_set_at);
    let mut failures = Vec::new();
    for (place, client) in clients.to_vec().iter().enumerate() {
        let soon = deadline.share(clients.len() - place);
        match client.delete_token(client_id, soon).await {
            // The absence of what was made a moment ago proves nothing.
            Ok(Deletion::AlreadyAbsent(_)) if is_young => {
                return Err(PendingDeletionError::PerhapsNotVisible.into());
            }
            Ok(_) => {
                failpoint::hit("config.root-deleted");
                clients.swap(0, place);
                return Ok(true);
            }
            Err(error) => failures.push(error),
        }
    }
    // Another that could not now may be able to later.
    match failures.into_iter().find(|error| !error.is_dead_token()) {
        Some(error) => Err(PendingDeletionError::from(error).into()),
        None => Ok(false),
    }
}

/// What can delete the tokens of `entry`: its own root token, then those of other configs for the same
/// organization.  Its own may be dead, or of another organization, where an operator wrote it untried.
async fn clients(engine: &Engine, entry: &ConfigEntry) -> Result<Vec<Client>, Error> {
    let mut clients = vec![entry.client().map_err(PendingDeletionError::from)?];
    if let Some(org_id) = &entry.org_id {
        let others = engine.configs.in_organization(org_id).await?;
        clients.extend(others.iter().map(|config| config.client.clone()));
    }
    Ok(clients)
}
