//! Replacing the root token of a config so that no caller is ever locked out.
//!
//! The next token is minted with the present one's roles, proved, and stored; only then is the
//! present one deleted, with the next.  At any moment the stored token works: a process that dies
//! leaves an unused token, which its intent finds, or a replaced one, which the entry names
//! (docs/internals/architecture.md, "Rotation").

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::error::RotationError;
use super::error::UnusableRoot;
use super::root_spec::RootSpec;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::Connection;
use crate::engine::connection::NewRoot;
use crate::engine::connection::OtherRoots;
use crate::engine::connection::verify;
use crate::engine::error::Error;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::lifetime::AskedExpiry;
use crate::engine::metrics::Counted;
use crate::engine::minting::Mint;
use crate::engine::minting::PropagationBackoff;
use crate::engine::minting::UncommittedToken;
use crate::engine::minting::decide;
use crate::engine::schedule::TICK_REACH;
use crate::engine::store::Key;
use crate::engine::time_text::time_text;

/// How long requests that began with the old token may go on before it is deleted all the same.
const LAST_USES: Duration = Duration::from_secs(10);
/// How often to look whether they have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a rotation came to.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The client id of the new root token.
    pub client_id: String,
    /// What is left to do, for the caller.
    pub warnings: Vec<String>,
}

/// Replaces the root token of the config called `name`, at once.
///
/// On an error the old one is still in use and works.
pub(crate) async fn rotate(
    engine: &Engine,
    name: &str,
    deadline: Deadline,
) -> Result<Rotated, Error> {
    let _changing = engine.configs.lock(name).await;
    let connection = engine.configs.require(name).await?;
    replace_noted(engine, connection, deadline).await
}

/// What the tick does for the config called `name`: deletes what is left of earlier rotations, and
/// rotates if that is due.
pub(crate) async fn reconcile(
    engine: &Engine,
    name: &str,
    deadline: Deadline,
) -> Result<(), Error> {
    let Some(connection) = engine.configs.find(name).await? else {
        return Ok(());
    };
    let now = engine.clock.now();
    let due = |entry: &ConfigEntry| entry.is_due(now);
    let is_known = connection.entry.org_id.is_some();
    if is_known && connection.entry.pending_delete.is_empty() && !due(&connection.entry) {
        return Ok(());
    }
    drop(connection);
    // A request that holds it is changing the config right now; the next tick looks again.
    let Some(_changing) = engine.configs.try_lock(name) else {
        return Ok(());
    };
    if !is_known {
        learn_organization(engine, name, deadline.at_most(LAST_USES)).await?;
    }
    let Some(connection) = engine.configs.find(name).await? else {
        return Ok(());
    };
    // Requests that began with the former token may use it for as long as a request may take.
    // A damaged entry may name any time.
    let longest =
        time::Duration::try_from(engine.deadlines.operation).unwrap_or(time::Duration::MAX);
    let last_use = connection.entry.token_set_at.saturating_add(longest);
    if last_use <= now || !engine.replaced_roots.are_in_use(name) {
        let soon = deadline.at_most(LAST_USES);
        // Those that it replaced are older.
        let youngest = connection.entry.token_set_at;
        for warning in delete_replaced(engine, &connection, youngest, soon).await {
            tracing::warn!(config = name, "{warning}");
        }
    }
    // Deleting may have stored the config again.
    drop(connection);
    let Some(connection) = engine.configs.find(name).await? else {
        return Ok(());
    };
    let failures = Failures::load(&engine.store, &Key::root_rotation(name)).await?;
    let may_try = failures.is_none_or(|failures| !failures.is_waiting(now));
    // A rotation for which there is no time is not tried, instead of failing.
    let is_time = deadline.remaining() >= engine.deadlines.min_for_rotation();
    if due(&connection.entry) && may_try && is_time {
        let rotated = replace_noted(engine, connection, deadline).await?;
        for warning in rotated.warnings {
            tracing::warn!(config = name, "{warning}");
        }
    }
    Ok(())
}

/// A config that was stored without being tried does not say which organization it is for.  Until it
/// does, the list of another organization could pass for that of its own.
async fn learn_organization(engine: &Engine, name: &str, deadline: Deadline) -> Result<(), Error> {
    let Some(connection) = engine.configs.find(name).await? else {
        return Ok(());
    };
    match connection.client.own_org(deadline).await {
        Ok(org_id) => {
            let mut entry = connection.entry.clone();
            entry.org_id = Some(org_id.to_owned());
            engine.configs.put(name, entry).await?;
            failpoint::hit("config.organization-learned");
        }
        Err(error) => {
            connection.health.failed(&error);
            tracing::debug!(config = name, %error, "the config's organization is not known yet");
        }
    }
    Ok(())
}

async fn replace_noted(
    engine: &Engine,
    connection: Arc<Connection>,
    deadline: Deadline,
) -> Result<Rotated, Error> {
    let name = connection.name.clone();
    let key = Key::root_rotation(&name);
    let end = connection.entry.root_end(engine.clock.now());
    let rotated = replace(engine, connection, deadline).await;
    let metrics = &engine.metrics;
    metrics.count(Counted::RootRotation, &name, "", &rotated);
    match &rotated {
        Ok(Rotated { client_id, .. }) => {
            tracing::info!(config = name, client_id, "root token rotated");
            let subject = Subject {
                path: &format!("config/{name}"),
                config: &name,
                client_id,
                ..Subject::default()
            };
            engine.events.publish(EngineEvent::RootRotate, subject);
            Failures::clear(&engine.store, &key).await;
        }
        Err(error) => {
            tracing::warn!(config = name, %error, "the root token could not be rotated");
            Failures::note(&engine.store, &key, error, engine.clock.now(), end).await;
        }
    }
    rotated
}

async fn replace(
    engine: &Engine,
    old: Arc<Connection>,
    deadline: Deadline,
) -> Result<Rotated, Error> {
    let present = RootSpec::of(&old, engine.clock.now(), deadline)
        .await
        .map_err(unchanged)?;
    let uncommitted = mint(engine, &old, &present, deadline)
        .await
        .map_err(unchanged)?;
    failpoint::hit("rotate-root.minted");
    let now = engine.clock.now();
    let new = NewRoot {
        token: uncommitted.token.token.clone(),
        asked: present.life,
        expires_at: uncommitted.life.map(|life| life.end(now)),
    };
    let mut entry = old.entry.rotated(new, now);
    entry.ends_by_schedule = present.scheduled_end.is_some();
    let present_end = old.entry.root_expires_at.or(present.present_end);
    let proved = match lasts(&old.name, &entry, present_end, now) {
        Ok(()) => prove(engine, &old, &entry, deadline).await,
        Err(error) => Err(error.into()),
    };
    match proved {
        // A config that was written untried does not tell it yet: where the new root token is to be
        // deleted must be known once the config is for another organization.
        Ok(org) => entry.org_id.get_or_insert(org),
        Err(error) => {
            uncommitted.rollback(deadline).await;
            return Err(unchanged(error));
        }
    };
    failpoint::hit("rotate-root.proved");
    let expiry_warning = entry.expiry_warning();
    let uncommitted = store(engine, &old, entry, uncommitted, deadline)
        .await
        .map_err(unchanged)?;
    failpoint::hit("rotate-root.stored");
    engine.replaced_roots.add(&old);
    let client_id = uncommitted.token.client_id.clone();
    uncommitted.commit().await;
    failpoint::hit("rotate-root.kept");
    // From here on the new token is the root token, whatever else fails.
    let new = engine.configs.require(&old.name).await?;
    let is_unused = is_unused(&old, deadline).await;
    let youngest = old.entry.token_set_at;
    drop(old);
    // The entry may name earlier ones too.
    let mut warnings = if is_unused && !engine.replaced_roots.are_in_use(&new.name) {
        delete_replaced(engine, &new, youngest, deadline).await
    } else {
        vec![
            "requests that began with the former root token still run; a tick of the host deletes \
             it once they have ended, within two minutes"
                .to_owned(),
        ]
    };
    warnings.extend(expiry_warning);
    Ok(Rotated {
        client_id,
        warnings,
    })
}

/// The new token, and whether its end follows from the schedule.
async fn mint(
    engine: &Engine,
    old: &Arc<Connection>,
    present: &RootSpec,
    deadline: Deadline,
) -> Result<UncommittedToken, Error> {
    let now = engine.clock.now();
    let mint = Mint {
        connection: old,
        role: &format!("rotate-root/{}", old.name),
        role_ids: present.role_ids.clone(),
        expiry: present
            .expiry(now)
            .map(|expiry| AskedExpiry { expiry, now }),
        // A request that the host repeats must not delete what may be the root token by now.
        request_id: "",
        display_name: "",
        reason: None,
        text: "",
    };
    mint.mint(deadline).await
}

/// Whether the new token lasts until a tick can replace it, or at least longer than the present one,
/// which ends at `present_end`: no rotation may take a config nearer to the end of its root token.
fn lasts(
    name: &str,
    entry: &ConfigEntry,
    present_end: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<(), RotationError> {
    let Some(end) = entry.root_expires_at else {
        return Ok(());
    };
    let present_lasts = present_end.is_none_or(|present_end| present_end > end);
    if end - now >= TICK_REACH || !present_lasts {
        return Ok(());
    }
    Err(RotationError::NotTaken {
        config: name.to_owned(),
        source: UnusableRoot::EndsTooSoon(time_text(Some(end))),
    })
}

/// Tries the new token for all that a root token must do, in the old one's organization, which is
/// returned.
async fn prove(
    engine: &Engine,
    old: &Connection,
    entry: &ConfigEntry,
    deadline: Deadline,
) -> Result<String, Error> {
    let failed = |source| RotationError::NotTaken {
        config: old.name.clone(),
        source,
    };
    let org = old.client.current_org(deadline).await.map_err(|error| {
        astra_error::request_error("ask for the root token's organization", old, &error)
    })?;
    let client = entry.client().map_err(|error| failed(error.into()))?;
    let mut backoff = PropagationBackoff::until(deadline);
    loop {
        match verify(&client, &engine.clock, deadline).await {
            Ok(verified) if is_same_organization(&verified.org_id, &org) => return Ok(org),
            Ok(verified) => {
                return Err(failed(UnusableRoot::OtherOrganization {
                    new: verified.org_id,
                    present: org,
                })
                .into());
            }
            Err(error) if error.is_rejection() && backoff.wait().await => {}
            Err(error) => return Err(failed(error.into()).into()),
        }
    }
}

/// Stores the entry with the new token.  On an error the old one is what storage holds, as far as
/// that can be known.
async fn store(
    engine: &Engine,
    old: &Connection,
    entry: ConfigEntry,
    uncommitted: UncommittedToken,
    deadline: Deadline,
) -> Result<UncommittedToken, Error> {
    let error = match engine.configs.put(&old.name, entry).await {
        Ok(_) => return Ok(uncommitted),
        Err(error) => error,
    };
    let found = engine.configs.find_confirmed(&old.name).await;
    let found = found.map(|found| found.map(|found| found.entry.token_client_id().to_owned()));
    decide(
        &engine.uncertain_writes,
        uncommitted,
        error,
        found,
        deadline,
    )
    .await
}

/// Whether all requests that began with `connection` have ended; waits a while for them.
async fn is_unused(connection: &Arc<Connection>, deadline: Deadline) -> bool {
    let end = deadline.at_most(LAST_USES);
    while Arc::strong_count(connection) > 1 {
        if end.is_over() {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}

/// Deletes replaced root tokens, none of which was set later than `youngest`, with the present one, and
/// says what could not be done.
async fn delete_replaced(
    engine: &Engine,
    connection: &Connection,
    youngest: OffsetDateTime,
    deadline: Deadline,
) -> Vec<String> {
    let mut entry = connection.entry.clone();
    let mut warnings = Vec::new();
    let mut left = Vec::new();
    for client_id in std::mem::take(&mut entry.pending_delete) {
        if client_id == entry.token_client_id() {
            continue;
        }
        // Nothing may begin to use it meanwhile.
        let _deleting = engine.pending_deletions.lock(&client_id).await;
        let others = OtherRoots::than(&engine.configs, &connection.name).await;
        let other = others.map(|others| others.owner(&client_id).map(str::to_owned));
        let deleted = match other {
            Ok(Some(other)) => {
                warnings.push(format!(
                    "the former root token with client id {client_id} is not deleted, as config \
                     \"{other}\" has it too"
                ));
                continue;
            }
            Ok(None) => {
                let deleted = connection.client.delete_token(&client_id, deadline).await;
                // The absence of what was made a moment ago proves nothing: a tick looks again.
                if matches!(deleted, Ok(Deletion::AlreadyAbsent(_))) && engine.is_young(youngest) {
                    left.push(client_id);
                    continue;
                }
                deleted.map(drop).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match deleted {
            Ok(()) => failpoint::hit("rotate-root.old-deleted"),
            Err(error) => {
                warnings.push(format!(
                    "the former root token with client id {client_id} is not deleted yet, the \
                     host's ticks try again: {error}"
                ));
                left.push(client_id);
            }
        }
    }
    entry.pending_delete = left;
    if entry.pending_delete == connection.entry.pending_delete {
        return warnings;
    }
    let stored = engine.configs.put(&connection.name, entry).await;
    failpoint::hit("rotate-root.old-forgotten");
    if let Err(error) = stored {
        warnings.push(format!(
            "that former root tokens are deleted could not be stored, the host's ticks try again: \
             {error}"
        ));
    }
    warnings
}

/// Says that the old token is still the root token.
fn unchanged(error: Error) -> Error {
    RotationError::Unchanged(error).into()
}
