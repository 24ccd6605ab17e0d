//! What static roles need on the host's tick.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;

use super::listed;
use super::listed::Unseen;
use super::remove::DELETING;
use super::remove::delete_due;
use super::rotate::rotate;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::failures::Failures;
use crate::engine::registry::Loaded;
use crate::engine::role::CurrentToken;
use crate::engine::role::PolicyOwner;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role::custom_role::Claim;
use crate::engine::role::custom_role::PendingNote;
use crate::engine::role_path;
use crate::engine::store::Key;

/// How many roles of one config a tick works on at most.
const PER_TICK: usize = 64;
/// How many of them at once.
const AT_ONCE: usize = 4;

/// How much of a tick the look for current tokens may take.
const LISTING: Duration = Duration::from_secs(10);

/// What one config's static roles need.
#[derive(Default)]
struct Work {
    /// Roles that are due, or have tokens whose time is over.
    due: Vec<String>,
    /// Current tokens that no list has shown lately.
    unseen: Unseen,
    /// Roles with a note about their custom Astra role.
    noted: Vec<PendingNote>,
}

/// Rotates the roles that are due, deletes tokens whose time is over and reconciles custom roles, as
/// far as there is time until `deadline`; the rest waits for the next tick.  Each config side by
/// side with the others: one organization's trouble must not cost another its turn.
pub(crate) async fn reconcile(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let now = engine.clock.now();
    let mut work: BTreeMap<String, Work> = BTreeMap::new();
    for (name, loaded) in engine.static_roles.load_all().await? {
        let Loaded::Valid(entry) = loaded else {
            continue;
        };
        // Where it cannot be replaced, no one needs to know each minute that it is gone.
        if let Some((client_id, token)) = listed::unseen(engine, &name, &entry)
            && !is_put_off(engine, &name, now).await?
        {
            let work = work.entry(entry.config.clone()).or_default();
            work.unseen.insert(client_id, token);
        }
        if is_waiting(&entry, now) {
            work.entry(entry.config.clone()).or_default().due.push(name);
        }
    }
    let notes = engine
        .custom_roles
        .pending(Key::STATIC_CUSTOM_ROLES)
        .await?;
    for (config, noted) in notes {
        work.entry(config).or_default().noted = noted;
    }
    let configs = work
        .into_iter()
        .map(|(config, work)| reconcile_config(engine, config, work, deadline));
    join_all(configs).await;
    Ok(())
}

async fn reconcile_config(engine: &Engine, config: String, work: Work, deadline: Deadline) {
    let Work {
        mut due,
        unseen,
        noted,
    } = work;
    let gone = gone(engine, &config, &unseen, deadline).await;
    due.extend(
        gone.keys()
            .filter(|name| !due.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let gone = &gone;
    // In another order each time, so that roles which fail do not keep others waiting for ever.
    fastrand::shuffle(&mut due);
    futures_util::stream::iter(due.iter().take(PER_TICK))
        .for_each_concurrent(AT_ONCE, |name| async move {
            if deadline.remaining() < engine.deadlines.min_for_rotation() {
                return;
            }
            if let Err(error) = reconcile_tokens(engine, name, gone.get(name), deadline).await {
                tracing::warn!(static_role = name, %error, "a static role is not rotated or \
                    cleaned up; a later tick tries again");
            }
        })
        .await;
    // After the tokens, which may be what a custom role waits for.
    for note in &noted {
        if let Err(error) = reconcile_custom_role(engine, &config, note, deadline).await {
            tracing::warn!(static_role = note.name, %error, "cannot reconcile a custom role; the \
                next tick tries again");
        }
    }
}

fn is_waiting(entry: &StaticRoleEntry, now: time::OffsetDateTime) -> bool {
    let is_over = entry.previous.iter().any(|token| token.delete_at <= now);
    is_over || is_due(entry, now) || !entry.is_live()
}

/// Whether its rotation failed so lately that it is not tried again yet.
async fn is_put_off(engine: &Engine, name: &str, now: time::OffsetDateTime) -> Result<bool, Error> {
    let failures = Failures::load(&engine.store, &Key::static_rotation(name)).await?;
    Ok(failures.is_some_and(|failures| failures.is_waiting(now)))
}

fn is_due(entry: &StaticRoleEntry, now: time::OffsetDateTime) -> bool {
    entry.next_rotation().is_some_and(|next| next <= now)
}

/// The static roles whose current token is gone from Astra, each with its client id; none where that cannot be
/// found out now.
async fn gone(
    engine: &Engine,
    config: &str,
    unseen: &Unseen,
    deadline: Deadline,
) -> BTreeMap<String, String> {
    if unseen.is_empty() {
        return BTreeMap::new();
    }
    let found = match engine.configs.find(config).await {
        Ok(Some(connection)) => {
            listed::gone(engine, &connection, unseen, deadline.at_most(LISTING)).await
        }
        Ok(None) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| {
        tracing::debug!(config, %error, "the tokens of static roles cannot be looked for; the next \
            tick tries again");
        BTreeMap::new()
    })
}

async fn reconcile_tokens(
    engine: &Engine,
    name: &str,
    gone: Option<&String>,
    deadline: Deadline,
) -> Result<(), Error> {
    // A request that is changing the role may take long; the next tick looks again.
    let Some(_changing) = engine.static_roles.try_lock(name) else {
        return Ok(());
    };
    // A previous token may be in another organization, which must not take the rotation its time.
    let deleted = delete_due(engine, name, deadline.at_most(DELETING)).await;
    if deadline.remaining() < engine.deadlines.min_for_rotation() {
        return deleted;
    }
    // It may have been deleted or rotated since the list was asked for.
    let is_gone = |current: &CurrentToken| gone.is_some_and(|gone| current.client_id == *gone);
    if let Some(entry) = engine.static_roles.find(name).await?
        && (entry.current.as_ref().is_some_and(is_gone) || is_due(&entry, engine.clock.now()))
        && !is_put_off(engine, name, engine.clock.now()).await?
    {
        rotate(engine, name, entry.as_ref().clone(), deadline).await?;
    }
    deleted
}

/// Finishes what a dead process or an outage left between storage and Astra, and deletes a custom
/// role that was given up once no token needs it any more.
async fn reconcile_custom_role(
    engine: &Engine,
    config: &str,
    note: &PendingNote,
    deadline: Deadline,
) -> Result<(), Error> {
    let name = &note.name;
    // A request that is changing the role finishes it, or leaves the note to the next tick.
    let Some(_changing) = engine.static_roles.try_lock(name) else {
        return Ok(());
    };
    let entry = match engine.static_roles.load(name).await? {
        Loaded::Valid(entry) => Some(entry),
        Loaded::Missing => None,
        // What the entry claims is not known.
        Loaded::Corrupt(_) => return Ok(()),
    };
    let custom = entry
        .as_ref()
        .and_then(|entry| entry.claim())
        .filter(|custom| custom.is_in(&note.org_id));
    let claim = Claim {
        custom,
        overlapping: entry.as_ref().map_or(&[], |entry| entry.overlapping()),
    };
    let owner = PolicyOwner::StaticRole(name);
    role_path::reconcile_one(engine, config, &note.org_id, owner, claim, deadline).await;
    Ok(())
}
