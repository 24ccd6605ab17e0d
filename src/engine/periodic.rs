//! The host's tick, about once a minute on the active node: clearing up and rotating.

use std::sync::Arc;

use super::Engine;
use super::error::Error;
use super::failpoint;
use super::in_use;
use super::intent::InUseTokens;
use super::metrics_path;
use super::role_path;
use super::rotation;
use super::store::Key;
use crate::astra::Deadline;
use crate::framework::Call;

/// One tick.  The host drops what a tick answers, so failures are logged here; one config's
/// failure does not keep the others waiting.
pub(super) async fn periodic(engine: Arc<Engine>, _call: Call) -> Result<(), Error> {
    if engine.host.require_writer().await.is_err() {
        engine.seen_tokens.clear();
        return Ok(());
    }
    failpoint::hit("tick.received");
    let deadline = Deadline::after(engine.deadlines.operation);
    let began = tokio::time::Instant::now();
    let (cleared, rotated, counted) = futures_util::future::join3(
        sweep_all(&engine, deadline),
        rotation::tick(&engine, deadline),
        metrics_path::refresh(&engine, deadline),
    )
    .await;
    if let Err(error) = counted {
        tracing::debug!(%error, "tokens could not be counted for metrics");
    }
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
    let ended = cleared.and(rotated);
    let metrics = &engine.metrics;
    metrics.ticked(engine.clock.now(), began.elapsed(), &ended);
    ended
}

async fn sweep_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let names = engine.configs.names().await?;
    // Taken before storage is read, so that what is read tells what became of them.
    let uncertain = engine.uncertain_writes.take();
    let in_use = match in_use::tokens(engine).await {
        Ok(in_use) => in_use,
        Err(error) => {
            engine.uncertain_writes.put_back(uncertain);
            return Err(error);
        }
    };
    // An organization that does not answer takes its own time, not that of the others.
    let uncertain = engine
        .uncertain_writes
        .resolve(uncertain, &in_use, deadline);
    let sweeps = names
        .iter()
        .map(|name| sweep(engine, name, &in_use, deadline));
    let custom_roles = role_path::reconcile_all(engine, deadline);
    let (_, _, custom_roles) = futures_util::future::join3(
        uncertain,
        futures_util::future::join_all(sweeps),
        custom_roles,
    )
    .await;
    custom_roles
}

async fn sweep(engine: &Engine, name: &str, in_use: &InUseTokens, deadline: Deadline) {
    let connection = match engine.configs.find(name).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return,
        Err(error) => return tracing::warn!(config = name, %error, "cannot clear up"),
    };
    if let Err(error) = connection
        .ledger
        .clear(&connection.client, in_use, deadline)
        .await
    {
        tracing::warn!(config = name, %error, "cannot clear up; the next tick tries again");
    }
}

/// Another node wrote the entry at `key`.
pub(super) async fn invalidate(engine: Arc<Engine>, key: String) {
    if let Some(name) = key.strip_prefix(Key::CONFIGS) {
        engine.configs.invalidate(name).await;
    } else if let Some(name) = key.strip_prefix(Key::ROLES) {
        engine.roles.invalidate(name).await;
    } else if let Some(name) = key.strip_prefix(Key::STATIC_ROLES) {
        engine.static_roles.invalidate(name).await;
    } else if let Some(client_id) = key.strip_prefix(Key::PENDING_DELETIONS) {
        engine.pending_deletions.invalidate(client_id).await;
    } else if key == Key::TAKEOVER {
        engine.archived.records.invalidate().await;
    }
}

/// The mount goes away: leaves nothing for the next process to look for, where it can.
pub(super) async fn cleanup(engine: Arc<Engine>) {
    for ledger in engine.configs.ledgers() {
        ledger.close().await;
    }
}
