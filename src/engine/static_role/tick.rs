//! What static roles need on the host's tick.

use std::hash::BuildHasher;
use std::hash::RandomState;

use futures_util::StreamExt;

use super::entry::StaticRoleEntry;
use super::remove::delete_due;
use super::rotate::rotate;
use super::settle::settle;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::rotation::Failures;
use crate::engine::store::Key;
use crate::vault::Error;

/// How many roles one tick tends at most.
const PER_TICK: usize = 64;
/// How many at once.
const AT_ONCE: usize = 4;

/// Rotates the roles that are due, deletes tokens whose time is over and settles custom roles, as far as there is time
/// until `deadline`; the rest waits for the next tick.
pub async fn tend(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let now = engine.clock.now();
    let mut names = Vec::new();
    for name in engine.static_roles.names().await? {
        let entry = engine.static_roles.find(&name).await?;
        if entry.is_some_and(|entry| is_waiting(&entry, now)) {
            names.push(name);
        }
    }
    // In another order each time, so that roles which fail do not keep others waiting for ever.
    let order = RandomState::new();
    names.sort_by_key(|name| order.hash_one(name));
    futures_util::stream::iter(names.iter().take(PER_TICK))
        .for_each_concurrent(AT_ONCE, |name| async move {
            if deadline.remaining() < engine.deadlines.min_for_rotation() {
                return;
            }
            if let Err(error) = tend_one(engine, name, deadline).await {
                tracing::warn!(static_role = name, %error, "a static role is not tended; a later tick tries again");
            }
        })
        .await;
    // After the tokens, which may be what a custom role waits for.
    settle(engine, deadline).await
}

fn is_waiting(entry: &StaticRoleEntry, now: time::OffsetDateTime) -> bool {
    let is_old = entry.previous.iter().any(|token| token.delete_at <= now);
    is_old || is_due(entry, now) || entry.client_ids().next().is_none()
}

fn is_due(entry: &StaticRoleEntry, now: time::OffsetDateTime) -> bool {
    entry.next_rotation().is_some_and(|next| next <= now)
}

async fn tend_one(engine: &Engine, name: &str, deadline: Deadline) -> Result<(), Error> {
    let _changing = engine.static_roles.changing(name).await;
    let deleted = delete_due(engine, name, deadline).await;
    if let Some(entry) = engine.static_roles.find(name).await?
        && is_due(&entry, engine.clock.now())
    {
        let failures = Failures::load(&engine.store, &Key::static_rotation(name)).await?;
        if failures.is_none_or(|failures| failures.retry_at <= engine.clock.now()) {
            rotate(engine, name, entry.as_ref().clone(), deadline).await?;
        }
    }
    deleted
}
