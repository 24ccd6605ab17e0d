//! Writing a static role.

use time::OffsetDateTime;

use super::entry::StaticRoleEntry;
use super::error::StaticRoleError;
use super::rotate::mint_and_store;
use super::rotate::rotate;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::merge::merge_field;
use crate::engine::registry::Loaded;
use crate::engine::role;
use crate::engine::role::Grant;
use crate::engine::role::Granted;
use crate::engine::role::PolicyOwner;
use crate::engine::role::ReleasedCustomRole;
use crate::engine::role::database::Wanted;
use crate::engine::schedule;
use crate::engine::schedule::Schedule;
use crate::framework::Fields;
use crate::framework::format_seconds;

/// Makes of the sent fields a new role, or changes the one called `name`, whose change the caller
/// holds.  A new role, and one with other Astra roles, gets a new token at once.
pub async fn write(
    engine: &Engine,
    name: &str,
    fields: &Fields,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let (stored, lost) = match engine.static_roles.load(name).await? {
        Loaded::Valid(entry) => (Some(entry), None),
        Loaded::Missing => (None, None),
        Loaded::Corrupt(corrupt) => {
            let error = corrupt.error.clone();
            corrupt.check_replaceable()?;
            (None, Some(error))
        }
    };
    let live = stored.as_deref().filter(|entry| entry.is_live());

    // What can be refused without asking Astra comes first.
    let mut entry = plain_fields(fields, live, engine.clock.now())?;
    let known = live.map(|live| &live.granted);
    let grant = Grant::read(fields, known)?;
    let known_database = live.and_then(|live| live.database.as_ref());
    let wanted = Wanted::read(fields, known_database)?;
    let left = stored.as_deref().filter(|entry| !entry.is_live());
    // Tokens that a deleted role of this name left are still to be deleted, by its config.
    if let Some(left) = left.filter(|left| left.config != entry.config) {
        return Err(StaticRoleError::TokensLeft {
            name: name.to_owned(),
            config: left.config.clone(),
        }
        .into());
    }
    let connection = engine.configs.require(&entry.config).await?;

    let again = Wanted::is_asked_again(fields);
    let (choice, mut warnings) = wanted
        .choice(known_database, again, &connection, deadline)
        .await?;
    warnings.extend(lost.map(|error| format!(
        "the former entry of static role \"{name}\" could not be read: tokens that it named stay in Astra until they expire; \
         list tokens/{} shows them ({error})",
        entry.config
    )));
    entry.database = choice;
    let owner = PolicyOwner::StaticRole(name);
    let realized = grant
        .realize(engine, &connection, owner, known, deadline)
        .await?;
    if known == Some(&realized.granted) {
        warnings.extend(role::unresolved::gone(engine, &realized.granted, &connection).await);
    }
    entry.granted = realized.granted;
    warnings.extend(realized.warnings);
    warnings.extend(short_overlap(&entry, engine.clock.now()));
    let abandoned = match known.and_then(|known| known.abandoned_for(Some(&entry.granted))) {
        Some(custom) => ReleasedCustomRole::note(engine, &entry.config, owner, custom).await?,
        None => None,
    };
    let granted = entry.granted.clone();
    failpoint::hit("static-role.checked");

    if let Some(stored) = &stored {
        entry.current = stored.current.clone();
        entry.previous = stored.previous.clone();
    }
    let minted_with = entry.current.as_ref().map(|current| &current.role_ids);
    if minted_with == Some(&entry.granted.role_ids()) {
        warnings.extend(entry.overlap_warning());
        engine.static_roles.put(name, entry).await?;
    } else if live.is_some() {
        warnings.extend(rotate(engine, name, entry, deadline).await?);
    } else {
        warnings.extend(mint_and_store(engine, name, entry, deadline).await?);
    }
    failpoint::hit("static-role.stored");
    granted.stored(engine, &connection, owner).await;
    if let Some(abandoned) = abandoned {
        let stored = engine.static_roles.find(name).await?;
        // Until the overlap is over the previous token needs it; then a tick deletes it.
        if !stored.is_some_and(|stored| stored.previous_uses_custom_role()) {
            warnings.extend(abandoned.remove(engine, deadline).await);
        }
    }
    Ok(warnings)
}

/// A client that knows no schedule of cron asks so often.
const UNSCHEDULED_CLIENT: u64 = 300;

/// With a schedule and a short overlap some clients hold tokens that are deleted already.
fn short_overlap(entry: &StaticRoleEntry, now: OffsetDateTime) -> Option<String> {
    let overlap = entry.overlap(now);
    let is_short = matches!(entry.schedule, Schedule::Cron(_)) && overlap < 2 * UNSCHEDULED_CLIENT;
    is_short.then(|| {
        format!(
            "overlap: with rotation_schedule, clients that know rotation_period only (consul-template, Vault Agent) read every five \
             minutes, and may hold a deleted token with an overlap of {}: give 10m or more, or use rotation_period",
            format_seconds(i64::try_from(overlap).unwrap_or(i64::MAX))
        )
    })
}

/// The fields that are checked without Astra.
fn plain_fields(
    fields: &Fields,
    stored: Option<&StaticRoleEntry>,
    now: OffsetDateTime,
) -> Result<StaticRoleEntry, Error> {
    let config = merge_field(
        fields,
        "config",
        Fields::string,
        stored.map(|role| role.config.clone()),
        || connection::DEFAULT.to_owned(),
    );
    if let Some(stored) = stored.filter(|stored| stored.config != config) {
        return Err(StaticRoleError::OtherConfig {
            given: config,
            stored: stored.config.clone(),
        }
        .into());
    }
    let schedule = schedule::read(fields, stored.map(|role| &role.schedule))?;
    let schedule = schedule.ok_or(StaticRoleError::ScheduleMissing)?;
    let schedule_set_at = match stored {
        Some(stored) if stored.schedule == schedule => stored.schedule_set_at,
        _ => now,
    };
    let seconds = |fields: &Fields, name: &str| fields.duration(name).map(|time| time.as_secs());
    let overlap = merge_field(
        fields,
        "overlap",
        |fields, name| seconds(fields, name).map(Some),
        stored.map(|role| role.overlap),
        || None,
    );
    let gap = schedule.shortest_gap(now);
    if let Some(overlap) = overlap.filter(|overlap| *overlap >= gap) {
        return Err(StaticRoleError::OverlapTooLong { overlap, gap }.into());
    }
    let description = merge_field(
        fields,
        "description",
        Fields::string,
        stored.map(|role| role.description.clone()),
        String::new,
    );
    Ok(StaticRoleEntry {
        config,
        granted: Granted::default(),
        schedule,
        schedule_set_at,
        overlap,
        description,
        database: None,
        current: None,
        previous: Vec::new(),
    })
}
