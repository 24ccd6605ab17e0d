//! Deleting the tokens of static roles: replaced ones, and all when the role goes.

use std::sync::Arc;
use std::time::Duration;

use super::error::StaticRoleError;
use crate::astra::Deadline;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::role::PolicyOwner;
use crate::engine::role::PreviousToken;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role_path::ReleasedCustomRole;
use crate::engine::store::Key;
use crate::engine::token_age::TokenAge;

/// How much time the deletion of a role's previous tokens may take from its rotation: they may be in another
/// organization.
pub(super) const DELETING: Duration = Duration::from_secs(10);

/// Deletes the role called `name`, whose change the caller holds, its tokens, and the custom Astra role
/// of its policy.
///
/// The entry stays, out of sight, as long as a token of it lives; the warnings say so.  Where the config is
/// gone it stays until that is written again, unless the caller `gives_up`: an answer that tells what is left
/// may be lost.
pub(super) async fn remove(
    engine: &Engine,
    name: &str,
    entry: &StaticRoleEntry,
    gives_up: bool,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let owner = PolicyOwner::StaticRole(name);
    let released =
        ReleasedCustomRole::note(engine, &entry.config, owner, &entry.granted, None).await?;
    failpoint::hit("static-role.removal-noted");
    let mut tombstone = entry.clone();
    tombstone.tombstone(engine.clock.now());
    if released.as_ref().is_some_and(ReleasedCustomRole::is_noted) {
        // From now on the note names it.
        tombstone.granted.policy = None;
    }
    // First the role goes out of sight: no one may be served a token that is being deleted.
    engine.static_roles.put(name, tombstone.clone()).await?;
    failpoint::hit("static-role.tombstoned");
    Failures::clear(&engine.store, &Key::static_rotation(name)).await;
    let mut warnings = Vec::new();
    if engine.configs.find(&tombstone.config).await?.is_none() {
        warnings.extend(out_of_reach(&tombstone, gives_up));
        if gives_up {
            engine.static_roles.delete(name).await?;
            failpoint::hit("static-role.given-up");
        }
    } else if let Err(error) = delete_due(engine, name, deadline).await {
        warnings.push(format!(
            "the static role is deleted, but not all of its tokens are yet, the host's ticks try \
             again: {error}"
        ));
    }
    if let Some(released) = released {
        warnings.extend(released.remove(engine, deadline).await);
    }
    Ok(warnings)
}

/// What to tell of the tokens of a deleted role whose config is gone.
fn out_of_reach(entry: &StaticRoleEntry, gives_up: bool) -> Option<String> {
    let left: Vec<&str> = entry.client_ids().collect();
    if left.is_empty() {
        return None;
    }
    let (config, left) = (&entry.config, left.join(", "));
    Some(match gives_up {
        true => format!(
            "config \"{config}\" is gone, so the static role's tokens cannot be deleted: delete those \
             with client ids {left} in Astra, or wait until they expire"
        ),
        false => format!(
            "config \"{config}\" is gone, so the static role's tokens are not deleted yet: a tick deletes \
             them once the config is written again; otherwise delete those with client ids {left} in \
             Astra, then the static role with force=true"
        ),
    })
}

/// Deletes the role's tokens whose time is over, and the entry when a deleted role has none left.
/// The caller holds the role's change.
pub(super) async fn delete_due(
    engine: &Engine,
    name: &str,
    deadline: Deadline,
) -> Result<(), Error> {
    let Some(entry) = engine.static_roles.find(name).await? else {
        return Ok(());
    };
    let now = engine.clock.now();
    // Of a deleted role all are, whatever a clock that was ahead has made of their time.
    let is_due = |token: &PreviousToken| !entry.is_live() || token.delete_at <= now;
    if !entry.previous.iter().any(is_due) && (entry.is_live() || !entry.previous.is_empty()) {
        return Ok(());
    }
    if !entry.is_live() && engine.configs.find(&entry.config).await?.is_none() {
        tracing::debug!(
            static_role = name,
            config = entry.config,
            "tokens of a deleted static role wait until their config is written again"
        );
        return Ok(());
    }
    let connection = engine.configs.require(&entry.config).await?;
    let mut left = entry.as_ref().clone();
    let mut failure = None;
    left.previous.clear();
    for token in &entry.previous {
        if is_due(token) {
            match delete(engine, &connection, token, deadline).await {
                Ok(()) => continue,
                Err(error) => failure = Some(error),
            }
        }
        left.previous.push(token.clone());
    }
    failpoint::hit("static-role.old-deleted");
    if !left.is_live() && left.previous.is_empty() {
        // Where it is named still, its config was gone when the role was deleted, and is back.
        let owner = PolicyOwner::StaticRole(name);
        ReleasedCustomRole::note(engine, &entry.config, owner, &entry.granted, None).await?;
        engine.static_roles.delete(name).await?;
    } else if left.previous != entry.previous {
        engine.static_roles.put(name, left).await?;
    }
    failpoint::hit("static-role.old-forgotten");
    failure.map_or(Ok(()), Err)
}

/// Deletes `token` with the root token of `own`, the role's config, or of another config of this mount
/// where the role's is for another organization by now.
async fn delete(
    engine: &Engine,
    own: &Arc<Connection>,
    token: &PreviousToken,
    deadline: Deadline,
) -> Result<(), Error> {
    let org_id = &token.org_id;
    let other = own.entry.org_id.as_ref();
    let other = other.filter(|other| !org_id.is_empty() && !is_same_organization(other, org_id));
    let Some(other) = other else {
        return delete_with(engine, own, token, deadline).await;
    };
    let mut failure = elsewhere(own, token, other).into();
    let others = engine.configs.in_organization(org_id).await?;
    for (place, connection) in others.iter().enumerate() {
        let soon = deadline.share(others.len() - place);
        match delete_with(engine, connection, token, soon).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn elsewhere(connection: &Connection, token: &PreviousToken, other: &str) -> StaticRoleError {
    StaticRoleError::OtherOrganization {
        client_id: token.client_id.clone(),
        org_id: token.org_id.clone(),
        config: connection.name.clone(),
        other: other.to_owned(),
    }
}

async fn delete_with(
    engine: &Engine,
    connection: &Connection,
    token: &PreviousToken,
    deadline: Deadline,
) -> Result<(), Error> {
    let PreviousToken {
        client_id, org_id, ..
    } = token;
    let window = engine.deadlines.visible_after();
    let age = TokenAge::now(
        &engine.clock,
        window,
        token.minted_at,
        token.minted_by_astra,
    );
    let deletion = connection.client.delete_token(client_id, deadline).await;
    let deletion = deletion.map_err(|error| {
        astra_error::request_error(
            &format!("delete the token with client id {client_id}"),
            connection,
            &error,
        )
    })?;
    // The list of another organization shows nothing.
    let asked = deletion
        .absence()
        .and_then(|absence| absence.org_id.as_ref());
    if let Some(other) =
        asked.filter(|asked| !org_id.is_empty() && !is_same_organization(asked, org_id))
    {
        return Err(elsewhere(connection, token, other).into());
    }
    if deletion.absence().is_some() && age.is_young(&connection.client) {
        return Err(StaticRoleError::PerhapsNotVisible {
            config: connection.name.clone(),
            client_id: client_id.clone(),
        }
        .into());
    }
    Ok(())
}
