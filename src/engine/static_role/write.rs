//! Writing a static role.

use super::entry::StaticRoleEntry;
use super::rotate::mint_and_store;
use super::rotate::rotate;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::change::pick;
use crate::engine::config;
use crate::engine::role::AstraRole;
use crate::engine::role::resolve;
use crate::engine::schedule;
use crate::engine::upstream;
use crate::framework::Fields;
use crate::vault::Error;

/// Makes of the sent fields a new role, or changes the one called `name`, whose change the caller
/// holds.  A new role, and one with other Astra roles, gets a new token at once.
pub async fn write(
    engine: &Engine,
    name: &str,
    fields: &Fields,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let stored = engine.static_roles.find(name).await?;
    let live = stored.as_deref().filter(|entry| entry.is_live());
    let mut entry = merged(engine, fields, live, deadline).await?;
    match (&stored, live) {
        (_, Some(live)) => {
            entry.current = live.current.clone();
            entry.previous = live.previous.clone();
            let minted_with = live.current.as_ref().map(|current| &current.role_ids);
            if minted_with == Some(&entry.role_ids()) {
                engine.static_roles.put(name, entry).await?;
                Ok(Vec::new())
            } else {
                rotate(engine, name, entry, deadline).await
            }
        }
        // Tokens that a deleted role of this name left are still to be deleted, by its config.
        (Some(left), None) if left.config != entry.config => Err(Error::BadRequest(format!(
            "static role \"{name}\" was deleted, but its tokens are not yet: wait until the host's ticks have deleted them, or \
             give config={}",
            left.config
        ))),
        (left, None) => {
            entry.previous = left
                .as_ref()
                .map(|left| left.previous.clone())
                .unwrap_or_default();
            mint_and_store(engine, name, entry, deadline).await
        }
    }
}

async fn merged(
    engine: &Engine,
    fields: &Fields,
    stored: Option<&StaticRoleEntry>,
    deadline: Deadline,
) -> Result<StaticRoleEntry, Error> {
    let now = engine.clock.now();
    let config = pick(
        fields,
        "config",
        Fields::text,
        stored.map(|role| role.config.clone()),
        || config::DEFAULT.to_owned(),
    );
    if let Some(stored) = stored.filter(|stored| stored.config != config) {
        return Err(Error::BadRequest(format!(
            "config: \"{config}\" is not \"{}\", where the static role's tokens are: delete the static role and write it anew, \
             or use another name",
            stored.config
        )));
    }
    let schedule = schedule::read(fields, stored.map(|role| &role.schedule))?;
    let schedule = schedule.ok_or_else(|| {
        Error::BadRequest(
            "rotation_period or rotation_schedule is missing: give one of the two, for instance rotation_period=24h"
                .to_owned(),
        )
    })?;
    let schedule_set_at = match stored {
        Some(stored) if stored.schedule == schedule => stored.schedule_set_at,
        _ => now,
    };
    let seconds = |fields: &Fields, name: &str| fields.duration(name).map(|time| time.as_secs());
    let overlap = pick(
        fields,
        "overlap",
        |fields, name| seconds(fields, name).map(Some),
        stored.map(|role| role.overlap),
        || None,
    );
    let gap = schedule.shortest_gap(now);
    if let Some(overlap) = overlap.filter(|overlap| *overlap >= gap) {
        return Err(Error::BadRequest(format!(
            "overlap: {overlap}s is not less than the time between two rotations, {gap}s: shorten overlap or rotate less often"
        )));
    }
    let description = pick(
        fields,
        "description",
        Fields::text,
        stored.map(|role| role.description.clone()),
        String::new,
    );
    Ok(StaticRoleEntry {
        astra_roles: astra_roles(engine, &config, fields, stored, deadline).await?,
        config,
        schedule,
        schedule_set_at,
        overlap,
        description,
        current: None,
        previous: Vec::new(),
    })
}

/// The Astra roles with their ids; what was resolved once stays resolved.
async fn astra_roles(
    engine: &Engine,
    config: &str,
    fields: &Fields,
    stored: Option<&StaticRoleEntry>,
    deadline: Deadline,
) -> Result<Vec<AstraRole>, Error> {
    let wanted = pick(
        fields,
        "astra_roles",
        Fields::strings,
        stored.map(given),
        Vec::new,
    );
    let wanted: Vec<String> = wanted.into_iter().filter(|text| !text.is_empty()).collect();
    if wanted.is_empty() {
        return Err(Error::BadRequest(
            "astra_roles is missing: give one or more names or ids of Astra roles".to_owned(),
        ));
    }
    if let Some(stored) = stored.filter(|stored| given(stored) == wanted) {
        return Ok(stored.astra_roles.clone());
    }
    let connection = engine.configs.require(config).await?;
    let roles =
        connection.client.roles(deadline).await.map_err(|error| {
            upstream::failed("list the organization's roles", &connection, &error)
        })?;
    resolve(&wanted, &roles, connection.entry.allow_token_admin)
}

/// The Astra roles as the operator named them.
pub fn given(role: &StaticRoleEntry) -> Vec<String> {
    role.astra_roles
        .iter()
        .map(|role| role.given.clone())
        .collect()
}
