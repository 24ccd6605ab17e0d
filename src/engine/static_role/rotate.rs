//! Minting a static role's token and putting it in the place of the present one.

use std::sync::Arc;

use super::error::StaticRoleError;
use super::remove::DELETING;
use super::remove::delete_due;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
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
use crate::engine::role::CurrentToken;
use crate::engine::role::MAX_PREVIOUS;
use crate::engine::role::PolicyOwner;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role_path::unresolved;
use crate::engine::schedule::whole;
use crate::engine::store::Key;

/// Replaces the token of the role called `name`, whose change the caller holds, and deletes those
/// whose time is over.  On an error the present token stays.
pub(super) async fn rotate(
    engine: &Engine,
    name: &str,
    entry: StaticRoleEntry,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let key = Key::static_rotation(name);
    let config = entry.config.clone();
    let end = entry
        .current
        .as_ref()
        .and_then(|current| current.expires_at);
    let rotated = mint_and_store(engine, name, entry, deadline).await;
    match &rotated {
        Ok(_) => note_rotated(engine, name, &config).await,
        Err(error) => {
            let metrics = &engine.metrics;
            metrics.count(Counted::StaticRotation, &config, name, &rotated);
            tracing::warn!(static_role = name, %error, "the static role could not be rotated");
            Failures::note(&engine.store, &key, error, engine.clock.now(), end).await;
        }
    }
    rotated
}

/// The token of the role called `name` was replaced.
pub(super) async fn note_rotated(engine: &Engine, name: &str, config: &str) {
    let metrics = &engine.metrics;
    metrics.count(Counted::StaticRotation, config, name, &Ok(()));
    tracing::info!(static_role = name, "static role rotated");
    let subject = Subject {
        path: &format!("static-roles/{name}"),
        config,
        role: name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::StaticRotate, subject);
    Failures::clear(&engine.store, &Key::static_rotation(name)).await;
}

/// Mints a token for `entry` and stores the entry with it.  On an error no new token is left, or an
/// intent stands for it, and storage is as it was.
pub(super) async fn mint_and_store(
    engine: &Engine,
    name: &str,
    mut entry: StaticRoleEntry,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let connection = engine.configs.require(&entry.config).await?;
    let admins = &engine.token_admins;
    admins.check(&connection, &entry.granted, deadline).await?;
    let now = engine.clock.now();
    let asked = entry.expiry(now);
    let mint = Mint {
        connection: &connection,
        role: &format!("static-roles/{name}"),
        role_ids: entry.granted.role_ids(),
        expiry: Some(AskedExpiry { expiry: asked, now }),
        // A request that the host repeats must not delete what may be the role's token by now.
        request_id: "",
        display_name: "",
        reason: None,
        text: &entry.description,
    };
    let uncommitted = match mint.mint(deadline).await {
        Ok(uncommitted) => uncommitted,
        Err(error) => {
            let (owner, granted) = (PolicyOwner::StaticRole(name), &entry.granted);
            return Err(unresolved::explain(error, engine, owner, granted, &connection).await);
        }
    };
    failpoint::hit("rotate-role.minted");
    if let Err(error) = await_usable(&connection, &uncommitted, deadline).await {
        uncommitted.rollback(deadline).await;
        return Err(error);
    }
    failpoint::hit("rotate-role.proved");
    let now = engine.clock.now();
    let former = entry.current.as_ref();
    let former = former.map(|current| (current.client_id.clone(), current.org_id.clone()));
    let ended = entry.replace(current(&connection, &entry, &uncommitted, whole(now)), now);
    let mut warnings = expiry_warnings(&entry, asked);
    warnings.extend(entry.overlap_warning());
    if let Some((client_id, org_id)) = former {
        warnings.extend(moved_warning(engine, &entry, &client_id, &org_id).await);
    }
    if ended > 0 {
        warnings.push(format!(
            "the static role was rotated more than {MAX_PREVIOUS} times within its overlap, so the \
             oldest previous token ends now"
        ));
    }
    let uncommitted = store(engine, name, entry, uncommitted, deadline).await?;
    failpoint::hit("rotate-role.stored");
    uncommitted.commit().await;
    failpoint::hit("rotate-role.kept");
    // No one may wait longer for a new token because an old one cannot be deleted.
    if let Err(error) = delete_due(engine, name, deadline.at_most(DELETING)).await {
        tracing::warn!(static_role = name, %error, "a replaced token is not deleted yet; the next \
            tick tries again");
    }
    Ok(warnings)
}

fn current(
    connection: &Connection,
    entry: &StaticRoleEntry,
    uncommitted: &UncommittedToken,
    rotated_at: time::OffsetDateTime,
) -> CurrentToken {
    let token = &uncommitted.token;
    let org_id = match &connection.entry.org_id {
        Some(org_id) => org_id.clone(),
        None => token.org_id.clone(),
    };
    CurrentToken {
        token: token.token.clone(),
        client_secret: token.secret.clone(),
        client_id: token.client_id.clone(),
        org_id,
        role_ids: entry.granted.role_ids(),
        by_policy: entry.granted.policy.is_some(),
        expires_at: uncommitted.life.map(|life| life.end(rotated_at)),
        rotated_at,
        minted_by_astra: token.generated_on,
    }
}

/// Readers take a moved `last_vault_rotation` as the sign to use the token, so it must work by then.
async fn await_usable(
    connection: &Connection,
    uncommitted: &UncommittedToken,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut entry = connection.entry.clone();
    entry.token = uncommitted.token.token.clone();
    let client = entry.client().map_err(|source| StaticRoleError::NotTried {
        config: connection.name.clone(),
        source,
    })?;
    let mut backoff = PropagationBackoff::until(deadline);
    loop {
        match client.current_org(deadline).await {
            Err(astra::Error::Unauthorized { .. }) if backoff.wait().await => {}
            Err(error @ astra::Error::Unauthorized { .. }) => {
                return Err(astra_error::request_error(
                    "use the new token",
                    connection,
                    &error,
                ));
            }
            // Any other failure says nothing about the token.
            _ => return Ok(()),
        }
    }
}

async fn store(
    engine: &Engine,
    name: &str,
    entry: StaticRoleEntry,
    uncommitted: UncommittedToken,
    deadline: Deadline,
) -> Result<UncommittedToken, Error> {
    let roles = &engine.static_roles;
    let Err(error) = roles.put(name, entry).await else {
        return Ok(uncommitted);
    };
    let found = roles
        .find_confirmed(name)
        .await
        .map(|found: Option<Arc<_>>| {
            let current = found.and_then(|entry| entry.current.clone());
            current.map(|current| current.client_id)
        });
    decide(
        &engine.uncertain_writes,
        uncommitted,
        error,
        found,
        deadline,
    )
    .await
}

/// An organization that gives the token less time than was asked for rotates sooner than scheduled.
fn expiry_warnings(entry: &StaticRoleEntry, asked: time::OffsetDateTime) -> Vec<String> {
    let Some(current) = &entry.current else {
        return Vec::new();
    };
    match current.expires_at {
        None => vec![
            "the organization does not keep expiries: the token lasts until it is rotated or the \
             static role is deleted"
                .to_owned(),
        ],
        Some(expiry) if expiry < asked - time::Duration::MINUTE => vec![format!(
            "the organization's maximum token expiry ends the token at {}: it is rotated before \
             that, whatever the schedule says",
            crate::engine::time_text::time_text(Some(expiry))
        )],
        Some(_) => Vec::new(),
    }
}

/// What is said where the config is for another organization than when the former token was minted: its
/// users now get one of another organization, and only another config can delete it.
async fn moved_warning(
    engine: &Engine,
    entry: &StaticRoleEntry,
    client_id: &str,
    org_id: &str,
) -> Option<String> {
    let new = &entry.current.as_ref()?.org_id;
    if org_id.is_empty() || is_same_organization(org_id, new) {
        return None;
    }
    // The rotation is good, whatever storage says now.
    let others = engine.configs.in_organization(org_id).await;
    // Two whole texts, as docs/errors.md has them.
    let warning = match others.unwrap_or_default().first() {
        Some(other) => format!(
            "the new token is in organization {new}, the former one (client id {client_id}) in {org_id}, \
             where the root token of config \"{}\" deletes it once its overlap is over",
            other.name
        ),
        None => format!(
            "the new token is in organization {new}, the former one (client id {client_id}) in {org_id}, \
             where config \"{}\" no longer has a root token: delete it there, or it ends at its expiry",
            entry.config
        ),
    };
    tracing::warn!("{warning}");
    Some(warning)
}
