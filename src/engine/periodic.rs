//! The host's tick, about once a minute on the active node: clearing up and rotating.

use std::sync::Arc;

use super::Engine;
use super::failpoint;
use super::in_use;
use super::intent::InUseTokens;
use super::role;
use super::rotation;
use super::rotation::UncertainWrites;
use super::store::Key;
use crate::astra::Deadline;
use crate::framework::Call;
use crate::vault::Error;

/// One tick.  The host drops what a tick answers, so failures are logged here; one config's
/// failure does not keep the others waiting.
pub async fn periodic(engine: Arc<Engine>, _call: Call) -> Result<(), Error> {
    if engine.host.require_writer().await.is_err() {
        return Ok(());
    }
    failpoint::hit("tick.received");
    let deadline = Deadline::after(engine.deadlines.operation);
    let (cleared, rotated) = futures_util::future::join(
        clear_all(&engine, deadline),
        rotation::tick(&engine, deadline),
    )
    .await;
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    tracing::debug!(tasks, "the tick has ended");
    for error in [&cleared, &rotated]
        .into_iter()
        .filter_map(|ended| ended.as_ref().err())
    {
        tracing::warn!(%error, "a tick did not do all its work; the next one tries again");
    }
    cleared.and(rotated)
}

async fn clear_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let names = engine.configs.names().await?;
    // Taken before storage is read, so that what is read tells what became of them.
    let uncertain = engine.uncertain_writes.take();
    let held = match in_use::tokens(engine).await {
        Ok(held) => held,
        Err(error) => {
            engine.uncertain_writes.put_back(uncertain);
            return Err(error);
        }
    };
    UncertainWrites::settle(uncertain, &held, deadline).await;
    let clearings = names
        .iter()
        .map(|name| clear(engine, name, &held, deadline));
    futures_util::future::join_all(clearings).await;
    role::settle(engine, deadline).await?;
    Ok(())
}

async fn clear(engine: &Engine, name: &str, held: &InUseTokens, deadline: Deadline) {
    let connection = match engine.configs.find(name).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return,
        Err(error) => return tracing::warn!(config = name, %error, "cannot clear up"),
    };
    if let Err(error) = connection
        .ledger
        .clear(&connection.client, held, deadline)
        .await
    {
        tracing::warn!(config = name, %error, "cannot clear up; the next tick tries again");
    }
}

/// Another node wrote the entry at `key`.
pub async fn invalidate(engine: Arc<Engine>, key: String) {
    if let Some(name) = key.strip_prefix(Key::CONFIGS) {
        engine.configs.forget(name).await;
    } else if let Some(name) = key.strip_prefix(Key::ROLES) {
        engine.roles.forget(name).await;
    } else if let Some(name) = key.strip_prefix(Key::STATIC_ROLES) {
        engine.static_roles.forget(name).await;
    }
}

/// The mount goes away: leaves nothing for the next process to look for, where it can.
pub async fn cleanup(engine: Arc<Engine>) {
    for ledger in engine.configs.ledgers().await {
        ledger.close().await;
    }
}
