//! `static-roles/<name>` and `rotate-role/<name>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use super::attributes::ATTRIBUTES;
use super::attributes::OVERLAP;
use super::error::StaticRoleError;
use super::remove;
use super::rotate;
use super::write;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::failures;
use crate::engine::failures::Failures;
use crate::engine::registry::Loaded;
use crate::engine::role;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role::grant;
use crate::engine::schedule;
use crate::engine::store::Key;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const NAME: &str = "name";

pub(super) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("static-roles/")
            .on(Operation::List, "List the static roles.", list)
            .returns(Field::of_list())
            .synopsis("List the static roles.")
            .help("A static role is one long-lived token that is replaced on a schedule."),
        named_path(),
        Path::new("rotate-role/{name}")
            .field(Field::name(NAME, "Name of the static role.").required())
            .on(
                Operation::Update,
                "Replace the token of a static role now.",
                rotate_now,
            )
            .refuses_unknown_parameters()
            .synopsis("Replace the token of a static role now.")
            .help("The previous token lives on for the static role's overlap."),
    ]
}

fn named_path() -> Path<Engine> {
    Path::new("static-roles/{name}")
        .field(Field::name(NAME, "Name of the static role.").required())
        .fields(ATTRIBUTES.parameters())
        .fields(grant::declare())
        .fields(schedule::declare())
        .fields(role::database::declare())
        .field(
            Field::bool(
                "force",
                "Delete the static role although its entry cannot be read, or forget what is left of it \
                 although its config is gone. Its tokens stay until they expire.",
            )
            .query()
            .default(false)
            .only_for([Operation::Delete]),
        )
        .exists(exists)
        .on(
            Operation::Create,
            "Write a static role and mint its token.",
            write,
        )
        .refuses_unknown_parameters()
        .on(Operation::Update, "Write a static role.", write)
        .refuses_unknown_parameters()
        .on(
            Operation::Patch,
            "Change some fields of a static role.",
            patch,
        )
        .refuses_unknown_parameters()
        .on(
            Operation::Read,
            "Read a static role, without its token.",
            read,
        )
        .returns(shown_fields())
        .on(
            Operation::Delete,
            "Delete a static role, its tokens and the custom Astra role of its policy.",
            delete,
        )
        .refuses_unknown_parameters()
        .synopsis("One long-lived token, replaced on a schedule.")
        .help(
            "Writing a static role mints its token at once; static-creds/<name> reads it. Changing \
             astra_roles replaces the token at once. With policy or access the engine keeps a custom Astra \
             role, named vault-<mount id>-static-roles/<name>; a change of the policy changes the \
             present token's rights in place, previous tokens included. A rotation that fails \
             keeps the present token and is tried again, at most an hour later; rotation_error \
             tells why. The token expires by itself in Astra 90 days after the second rotation \
             from now would have been due, so that it ends even if no one rotates it any more. \
             Deleting the static role deletes its tokens and its custom Astra role.",
        )
}

/// The fields of a read.
fn shown_fields() -> Vec<Field> {
    ATTRIBUTES
        .answer()
        .chain(grant::shown())
        .chain(schedule::shown())
        .chain(role::database::shown())
        .chain(failures::shown())
        .collect()
}

fn name_of(call: &Call) -> String {
    call.fields.captured(NAME)
}

async fn exists(engine: Arc<Engine>, call: Call) -> Result<bool, Error> {
    Ok(match engine.static_roles.load(&name_of(&call)).await? {
        Loaded::Valid(role) => role.is_live(),
        Loaded::Corrupt(_) => true,
        Loaded::Missing => false,
    })
}

async fn list(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let mut names = Vec::new();
    let mut key_info = Map::new();
    for (name, loaded) in engine.static_roles.load_all().await? {
        let info = match loaded {
            Loaded::Valid(role) if role.is_live() => listed(&role),
            Loaded::Corrupt(corrupt) => {
                let error = corrupt.error.to_string();
                Map::from_iter([("error".to_owned(), error.into())])
            }
            Loaded::Valid(_) | Loaded::Missing => continue,
        };
        key_info.insert(name.clone(), info.into());
        names.push(name);
    }
    Ok(Some(Response::list(names, key_info)))
}

fn listed(role: &StaticRoleEntry) -> Map<String, Value> {
    let mut info = Map::new();
    info.insert("config".into(), role.config.as_str().into());
    role.granted.list(&mut info);
    let database = role.database.as_ref().map_or("", |database| &database.id);
    info.insert("database_id".into(), database.into());
    schedule::show(Some(&role.schedule), &mut info);
    info.insert("last_vault_rotation".into(), role.last_rotation().into());
    info
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = name_of(&call);
    let Some(role) = engine.static_roles.find_active(&name).await? else {
        return Ok(None);
    };
    let mut data = Map::new();
    ATTRIBUTES.show(&role, &mut data);
    role.granted.show(&mut data);
    schedule::show(Some(&role.schedule), &mut data);
    // Unless it was given it follows from the schedule, whose gaps depend on the time.
    data.insert(OVERLAP.into(), role.overlap(engine.clock.now()).into());
    role::database::show(role.database.as_ref(), &mut data);
    let failures = Failures::load(&engine.store, &Key::static_rotation(&name)).await?;
    failures::show(role.next_rotation(), failures, &mut data);
    Ok(Some(Response::new(data)))
}

async fn patch(engine: Arc<Engine>, call: Call) -> HandlerResult {
    // A standby may not know yet what the active node has stored, so the active node decides.
    engine.host.require_writer().await?;
    let name = name_of(&call);
    if engine.static_roles.find_active(&name).await?.is_none() {
        return Err(StaticRoleError::NothingToPatch(name).into());
    }
    write(engine, call).await
}

async fn write(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    // The wait for another request counts too.
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.static_roles.lock(&name).await;
    let warnings = write::write(&engine, &name, &call.fields, deadline).await?;
    tracing::info!(static_role = name, "static role written");
    let subject = Subject {
        path: &format!("static-roles/{name}"),
        role: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::StaticRoleWrite, subject);
    Ok(Response::to_write(warnings))
}

async fn delete(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.static_roles.lock(&name).await;
    let force = call.fields.bool("force").unwrap_or_default();
    let entry = match engine.static_roles.load(&name).await? {
        Loaded::Valid(entry) => entry,
        Loaded::Missing => return Ok(None),
        Loaded::Corrupt(corrupt) => {
            let forced = corrupt.check_forced(force);
            let error = forced.map_err(StaticRoleError::TokensUnknown)?;
            engine.static_roles.delete(&name).await?;
            failpoint::hit("static-role.unusable-removed");
            Failures::clear(&engine.store, &Key::static_rotation(&name)).await;
            tracing::info!(static_role = name, %error, "unusable static role deleted");
            return Ok(Response::to_write(vec![format!(
                "static role \"{name}\" was deleted although its entry could not be read: its \
                 tokens and the custom Astra role of its policy stay in Astra; list \
                 tokens/<config> shows the tokens, with the role static-roles/{name} ({error})"
            )]));
        }
    };
    let warnings = remove::remove(&engine, &name, &entry, force, deadline).await?;
    tracing::info!(static_role = name, "static role deleted");
    let subject = Subject {
        path: &format!("static-roles/{name}"),
        config: &entry.config,
        role: &name,
        ..Subject::default()
    };
    engine
        .events
        .publish(EngineEvent::StaticRoleDelete, subject);
    Ok(Response::to_write(warnings))
}

async fn rotate_now(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.static_roles.lock(&name).await;
    let entry = engine
        .static_roles
        .find_active(&name)
        .await?
        .ok_or_else(|| StaticRoleError::Unknown(name.clone()))?;
    let entry = StaticRoleEntry::clone(&entry);
    rotate::rotate(&engine, &name, entry, deadline)
        .await
        .map(Response::to_write)
}
