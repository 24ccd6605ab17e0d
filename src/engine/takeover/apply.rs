//! Storing what is taken over.
//!
//! For each organization first the config, then its roles, then the record: whatever a process leaves
//! that dies in between is adopted by the next run, and old leases work at every point.

use std::collections::BTreeMap;

use super::plan::Action;
use super::plan::ConfigPlan;
use super::plan::RolePlan;
use crate::astra;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::archived_engine::ImportedConfig;
use crate::engine::archived_engine::Record;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::OtherRoots;
use crate::engine::error::Error;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::registry::Loaded;

/// What a request wrote meanwhile.
const WRITTEN_MEANWHILE: &str = "it was written meanwhile: import again";
/// What was not reached.
const NO_TIME: &str = "there was no time left for it: import again";

/// Carries the plans out, notes in them what could not be, and keeps `record` up to date.
pub(super) async fn apply(
    engine: &Engine,
    record: &mut Record,
    configs: &mut [ConfigPlan],
    roles: &mut [RolePlan],
    deadline: Deadline,
) -> Result<(), Error> {
    let mut of_config: BTreeMap<String, Vec<&mut RolePlan>> = BTreeMap::new();
    for role in roles {
        let of_it = of_config.entry(role.org_key.clone()).or_default();
        of_it.push(role);
    }
    for config in configs {
        let mut roles = of_config.remove(&config.org_key).unwrap_or_default();
        if deadline.is_over() {
            give_up(config, &mut roles);
            continue;
        }
        store_config(engine, config, deadline).await?;
        for role in &mut roles {
            store_role(engine, config, role).await?;
        }
        note(engine, record, config, &roles).await?;
    }
    Ok(())
}

fn give_up(config: &mut ConfigPlan, roles: &mut [&mut RolePlan]) {
    if matches!(config.action, Action::Import | Action::Adopt) {
        config.fail(NO_TIME);
    }
    for role in roles {
        if matches!(role.action, Action::Import | Action::Adopt) {
            role.action = Action::Problem(NO_TIME.to_owned());
        }
    }
}

async fn store_config(
    engine: &Engine,
    plan: &mut ConfigPlan,
    deadline: Deadline,
) -> Result<(), Error> {
    let changed = match plan.action {
        Action::Import => plan.entry.take().map(|entry| ConfigEntry {
            allow_token_admin: plan.must_allow_token_admin,
            ..entry
        }),
        Action::Imported if plan.must_allow_token_admin => None,
        _ => return Ok(()),
    };
    let name = plan.name.clone();
    let _changing = engine.configs.lock(&name).await;
    let entry = match (engine.configs.load(&name).await?, changed) {
        (Loaded::Missing, Some(entry)) => entry,
        (Loaded::Valid(connection), None) => ConfigEntry {
            allow_token_admin: true,
            ..connection.entry.clone()
        },
        _ => {
            plan.fail(WRITTEN_MEANWHILE);
            return Ok(());
        }
    };
    // Nothing may delete the root token from now on, and no other config may take it.
    let client_id = entry.token_client_id().to_owned();
    let _deleting = engine.pending_deletions.lock(&client_id).await;
    let others = OtherRoots::than(&engine.configs, &name).await?;
    if plan.action == Action::Import && others.owner(&client_id).is_some() {
        plan.fail(WRITTEN_MEANWHILE);
        return Ok(());
    }
    if let Err(error) = try_again(plan, &entry, deadline).await {
        plan.fail(format!(
            "its root token worked when it was tried, but not when it was to be stored ({error}): \
             import again"
        ));
        return Ok(());
    }
    engine.configs.put(&name, entry).await?;
    failpoint::hit("import.config-stored");
    tracing::info!(config = name, org_key = plan.org_key, "config imported");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::ConfigWrite, subject);
    Ok(())
}

/// Tries a new config's root token, if it was tried before: what deletes root tokens may have come between.
async fn try_again(
    plan: &ConfigPlan,
    entry: &ConfigEntry,
    deadline: Deadline,
) -> Result<(), astra::Error> {
    match &plan.client {
        Some(client) if plan.action == Action::Import && entry.verify => {
            client.current_org(deadline).await.map(drop)
        }
        _ => Ok(()),
    }
}

async fn store_role(
    engine: &Engine,
    config: &ConfigPlan,
    plan: &mut RolePlan,
) -> Result<(), Error> {
    if !config.action.is_taken_over() && plan.action.is_taken_over() {
        plan.action = Action::Problem(WRITTEN_MEANWHILE.to_owned());
    }
    let (Action::Import, Some(entry)) = (&plan.action, plan.entry.take()) else {
        return Ok(());
    };
    let name = plan.name.clone();
    let _changing = engine.roles.lock(&name).await;
    if !matches!(engine.roles.load(&name).await?, Loaded::Missing) {
        plan.action = Action::Problem(WRITTEN_MEANWHILE.to_owned());
        return Ok(());
    }
    engine.roles.put(&name, entry).await?;
    failpoint::hit("import.role-stored");
    tracing::info!(role = name, old_role = plan.id, "role imported");
    let subject = Subject {
        path: &format!("roles/{name}"),
        config: &config.name,
        role: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::RoleWrite, subject);
    Ok(())
}

/// Adds what was taken over, or left out, to the record.
async fn note(
    engine: &Engine,
    record: &mut Record,
    config: &ConfigPlan,
    roles: &[&mut RolePlan],
) -> Result<(), Error> {
    let mut next = record.clone();
    let key = &config.org_key;
    if config.action.is_taken_over() {
        next.left_out.remove(key);
        let organization = config.organization.clone();
        let known = next.configs.get(key).cloned();
        let imported = ImportedConfig {
            config: config.name.clone(),
            caller_mode: config.caller_mode,
            // That of the time when it was taken over.
            organization: known.and_then(|known| known.organization).or(organization),
        };
        next.configs.insert(key.clone(), imported);
    } else if config.action == Action::Skip {
        next.configs.remove(key);
        next.left_out.insert(key.clone());
    }
    for role in roles {
        note_role(&mut next, role);
    }
    store(engine, record, next).await
}

/// Notes the roles of no config, which can only be left out.
pub(super) async fn note_left_out(
    engine: &Engine,
    record: &mut Record,
    roles: &[RolePlan],
) -> Result<(), Error> {
    let mut next = record.clone();
    for role in roles {
        note_role(&mut next, role);
    }
    store(engine, record, next).await
}

fn note_role(record: &mut Record, role: &RolePlan) {
    if role.action.is_taken_over() {
        record.left_out.remove(&role.id);
        record.roles.insert(role.id.clone(), role.name.clone());
    } else if role.action == Action::Skip {
        record.roles.remove(&role.id);
        record.left_out.insert(role.id.clone());
    }
}

/// Stores the record, if it says anything new.
async fn store(engine: &Engine, record: &mut Record, next: Record) -> Result<(), Error> {
    if *record == next {
        return Ok(());
    }
    engine.archived.records.put(&next).await?;
    failpoint::hit("import.recorded");
    *record = next;
    Ok(())
}
