//! Root tokens that rotation minted, of configs that were deleted.
//!
//! Nobody else has them, so they go with their config.  Neither can be done first: without the config
//! its token could be forgotten, without its token the config is of no use.  So the entry is first
//! stored once more, at a place of its own, from where the host's ticks finish what a dead process or
//! an outage left.

use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::config::ConfigEntry;
use crate::engine::failpoint;
use crate::engine::in_use;
use crate::engine::store::Key;
use crate::vault::Error;

/// Notes durably that the root tokens of `entry` are to be deleted once its config is gone.
pub async fn record(engine: &Engine, entry: &ConfigEntry) -> Result<(), Error> {
    if tokens(entry).next().is_some() {
        let key = Key::pending_deletion(entry.token_client_id());
        engine.store.put(&key, entry).await?;
        failpoint::hit("config.pending-deletion-recorded");
    }
    Ok(())
}

/// The config of `entry` is gone: deletes the root tokens that nobody else has.  A failure is a
/// warning, as the ticks try again.
pub async fn run(engine: &Engine, name: &str, entry: &ConfigEntry) -> Option<String> {
    let deadline = Deadline::after(engine.deadlines.operation);
    let error = finish(engine, entry, deadline).await.err()?;
    let ids: Vec<&str> = tokens(entry).collect();
    Some(format!(
        "config \"{name}\" is deleted, but not all root tokens that rotation minted or replaced are yet (client ids {}); the \
         host's ticks try again: {error}",
        ids.join(", ")
    ))
}

/// Finishes what is noted.
pub async fn reconcile(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    for client_id in engine.store.list(Key::PENDING_DELETIONS).await? {
        // Whoever deletes a config has noted it before, and may not have deleted it yet.
        let _changing = engine.configs.changing().await;
        let key = Key::pending_deletion(&client_id);
        let Some(entry) = engine.store.get::<ConfigEntry>(&key).await? else {
            continue;
        };
        if in_use::tokens(engine).await?.contains(&client_id) {
            engine.store.delete(&key).await?;
            failpoint::hit("config.pending-deletion-dropped");
        } else if let Err(error) = finish(engine, &entry, deadline).await {
            tracing::warn!(client_id, %error, "the root tokens of a deleted config are not deleted yet");
        }
    }
    Ok(())
}

/// What only the engine can delete; the root token itself comes last, as it deletes the others.
fn tokens(entry: &ConfigEntry) -> impl Iterator<Item = &str> {
    let own = entry.minted.then(|| entry.token_client_id());
    entry.pending_delete.iter().map(String::as_str).chain(own)
}

async fn finish(engine: &Engine, entry: &ConfigEntry, deadline: Deadline) -> Result<(), Error> {
    let broken = |cause: String| Error::Internal(format!("its client cannot be set up: {cause}"));
    let settings = entry
        .client_config()
        .map_err(|error| broken(error.to_string()))?;
    let client = Client::new(settings).map_err(|error| broken(error.to_string()))?;
    for client_id in tokens(entry) {
        match client.delete_token(client_id, deadline).await {
            Ok(_) => {}
            // The token that deletes is the last that is deleted: when it is dead, all is done, or
            // nothing of it can be done any more.
            Err(astra::Error::Unauthorized { .. }) => break,
            Err(error) => return Err(Error::Internal(error.to_string())),
        }
    }
    failpoint::hit("config.root-deleted");
    engine
        .store
        .delete(&Key::pending_deletion(entry.token_client_id()))
        .await?;
    failpoint::hit("config.pending-deletion-done");
    Ok(())
}
