//! Writing a static role.

use time::OffsetDateTime;

use super::attributes::ATTRIBUTES;
use super::error::StaticRoleError;
use super::rotate::mint_and_store;
use super::rotate::note_rotated;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::intent::Description;
use crate::engine::registry::Loaded;
use crate::engine::role::PolicyOwner;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role_path::Asked;
use crate::engine::role_path::Known;
use crate::engine::role_path::ReleasedCustomRole;
use crate::engine::schedule;
use crate::engine::schedule::Schedule;
use crate::framework::Fields;
use crate::framework::format_seconds;

/// Makes of the sent fields a new role, or changes the one called `name`, whose change the caller
/// holds.  A new role, and one with other Astra roles, gets a new token at once.
pub(super) async fn write(
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
    let known = Known {
        granted: live.map(|live| &live.granted),
        database: live.and_then(|live| live.database.as_ref()),
        // Its config stays the same.
        former: None,
    };
    let asked = Asked::read(fields, known)?;
    if let Some(left) = stored.as_deref().filter(|entry| !entry.is_live()) {
        check_left(name, left, &entry)?;
        entry.previous = left.previous_over(engine.clock.now());
    }
    let connection = engine.configs.require(&entry.config).await?;

    let owner = PolicyOwner::StaticRole(name);
    let realized = asked
        .realize(engine, &connection, owner, known, deadline)
        .await?;
    entry.granted = realized.granted;
    entry.database = realized.database;
    let mut warnings = realized.warnings;
    warnings.extend(lost.map(|error| format!(
        "the former entry of static role \"{name}\" could not be read: tokens that it named stay \
         in Astra until they expire; list tokens/{} shows them ({error})",
        entry.config
    )));
    warnings.extend(of_entry(name, &entry, engine.clock.now()));
    let granted = entry.granted.clone();
    let released = match live {
        Some(live) => {
            let next = Some(&granted);
            ReleasedCustomRole::note(engine, &entry.config, owner, &live.granted, next).await?
        }
        None => None,
    };
    failpoint::hit("static-role.checked");
    warnings.extend(store(engine, name, entry, deadline).await?);
    failpoint::hit("static-role.stored");
    granted
        .stored(&engine.custom_roles, &connection, owner)
        .await;
    if let Some(released) = released {
        let stored = engine.static_roles.find(name).await?;
        let mut previous = stored.iter().flat_map(|stored| stored.overlapping());
        // Until the overlap is over the previous token needs it; then a tick deletes it.
        if !previous.any(|token| token.holds_custom_role(released.role_id())) {
            warnings.extend(released.remove(engine, deadline).await);
        }
    }
    Ok(warnings)
}

/// Refuses another config than that of the tokens which a deleted role of this name `left`: they are
/// still to be deleted, by it.
fn check_left(
    name: &str,
    left: &StaticRoleEntry,
    entry: &StaticRoleEntry,
) -> Result<(), StaticRoleError> {
    if left.config == entry.config {
        return Ok(());
    }
    Err(StaticRoleError::TokensLeft {
        name: name.to_owned(),
        config: left.config.clone(),
    })
}

/// Stores `entry`, with a new token where it has none that was minted for what it grants.
async fn store(
    engine: &Engine,
    name: &str,
    entry: StaticRoleEntry,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    match &entry.current {
        Some(current) if current.role_ids == entry.granted.role_ids() => {
            let warning = entry.overlap_warning();
            engine.static_roles.put(name, entry).await?;
            Ok(warning.into_iter().collect())
        }
        Some(_) => {
            let config = entry.config.clone();
            // One that is refused says nothing of the rotation of what is stored.
            let warnings = mint_and_store(engine, name, entry, deadline).await?;
            note_rotated(engine, name, &config).await;
            Ok(warnings)
        }
        None => mint_and_store(engine, name, entry, deadline).await,
    }
}

/// A client that knows no schedule of cron asks so often.
const UNSCHEDULED_CLIENT: u64 = 300;

/// What who writes `entry` should know of it.
fn of_entry(name: &str, entry: &StaticRoleEntry, now: OffsetDateTime) -> Vec<String> {
    let role = format!("static-roles/{name}");
    let description = Description::text_warning(&role, &entry.description);
    short_overlap(entry, now)
        .into_iter()
        .chain(description)
        .collect()
}

/// With a schedule and a short overlap some clients hold tokens that are deleted already.
fn short_overlap(entry: &StaticRoleEntry, now: OffsetDateTime) -> Option<String> {
    let overlap = entry.overlap(now);
    let is_short = matches!(entry.schedule, Schedule::Cron(_)) && overlap < 2 * UNSCHEDULED_CLIENT;
    is_short.then(|| {
        format!(
            "overlap: with rotation_schedule, clients that know rotation_period only \
             (consul-template, Vault Agent) read every five minutes, and may hold a deleted token \
             with an overlap of {}: give 10m or more, or use rotation_period",
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
    let schedule = schedule::read(fields, stored.map(|role| &role.schedule))?;
    let schedule = schedule.ok_or(StaticRoleError::ScheduleMissing)?;
    let entry = match stored {
        Some(stored) => {
            let mut entry = stored.clone();
            let Ok(()) = ATTRIBUTES.change(fields, &mut entry);
            if entry.config != stored.config {
                return Err(StaticRoleError::OtherConfig {
                    given: entry.config,
                    stored: stored.config.clone(),
                }
                .into());
            }
            if entry.schedule != schedule {
                entry.schedule = schedule;
                entry.schedule_set_at = now;
            }
            entry
        }
        None => {
            let mut entry = StaticRoleEntry::new(schedule, now);
            let Ok(()) = ATTRIBUTES.fill(fields, &mut entry);
            entry
        }
    };
    let gap = entry.schedule.shortest_gap(now);
    if let Some(overlap) = entry.overlap.filter(|overlap| *overlap >= gap) {
        return Err(StaticRoleError::OverlapTooLong { overlap, gap }.into());
    }
    Ok(entry)
}
