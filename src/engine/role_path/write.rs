//! Writing and deleting a role: what is sent is checked, Astra is brought in step, the role is stored.

use std::sync::Arc;

use super::Asked;
use super::Known;
use super::ReleasedCustomRole;
use super::attributes::ATTRIBUTES;
use super::name::name_of;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::host::Limits;
use crate::engine::intent::Description;
use crate::engine::registry::Loaded;
use crate::engine::role::PolicyOwner;
use crate::engine::role::RoleEntry;
use crate::engine::role::RoleError;
use crate::framework::Call;
use crate::framework::Fields;
use crate::framework::format_seconds;
use crate::vault::Response;

pub(super) async fn patch(engine: Arc<Engine>, call: Call) -> HandlerResult {
    // A standby may not know yet what the active node has stored, so the active node decides.
    engine.host.require_writer().await?;
    let name = name_of(&call);
    if engine.roles.find(&name).await?.is_none() {
        return Err(RoleError::NothingToPatch(name).into());
    }
    write(engine, call).await
}

pub(super) async fn write(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let limits = engine.host.writer_limits().await?;
    let name = name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.roles.lock(&name).await;
    let stored = engine.roles.load(&name).await?.replaceable()?;
    let stored = stored.as_deref();
    let fields = &call.fields;

    // What can be refused without asking Astra comes first.
    let mut role = plain_fields(fields, stored)?;
    let asked = Asked::read(fields, known(stored))?;
    if asked.changes_astra(stored.map(|role| &role.granted)) {
        call.refuse_unknown_parameters()?;
    }
    let connection = engine.configs.require(&role.config).await?;
    let mut warnings = cap_warnings(&role, limits);
    warnings.extend(Description::text_warning(&name, &role.description));

    let stored_here = stored.filter(|stored| stored.config == role.config);
    let owner = PolicyOwner::Role(&name);
    // The note of a custom role that another config has does not tell this one of it.
    let known_here = Known {
        former: stored.and_then(|role| role.granted.policy.as_ref()),
        ..known(stored_here)
    };
    let realized = asked
        .realize(&engine, &connection, owner, known_here, deadline)
        .await?;
    role.granted = realized.granted;
    role.database = realized.database;
    warnings.extend(realized.warnings);

    let released = match stored {
        Some(stored) => release(&engine, owner, stored, Some(&role)).await?,
        None => None,
    };
    failpoint::hit("role.checked");
    let role = engine.roles.put(&name, role).await?;
    failpoint::hit("role.stored");
    role.granted
        .stored(&engine.custom_roles, &connection, owner)
        .await;
    if let Some(released) = released {
        warnings.extend(released.remove(&engine, deadline).await);
    }
    tracing::info!(role = name, "role written");
    let subject = Subject {
        path: &format!("roles/{name}"),
        config: &connection.name,
        role: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::RoleWrite, subject);
    Ok(Response::to_write(warnings))
}

pub(super) async fn delete(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.roles.lock(&name).await;
    let stored = match engine.roles.load(&name).await? {
        Loaded::Valid(role) => role,
        Loaded::Missing => return Ok(None),
        Loaded::Corrupt(corrupt) => {
            let force = call.fields.bool("force").unwrap_or_default();
            let forced = corrupt.check_forced(force);
            let error = forced.map_err(RoleError::KeepsUnknown)?;
            engine.roles.delete(&name).await?;
            failpoint::hit("role.unusable-removed");
            tracing::info!(role = name, %error, "unusable role deleted");
            return Ok(Response::to_write(vec![format!(
                "role \"{name}\" was deleted although its entry could not be read: a custom Astra \
                 role that was kept for it stays in Astra ({error})"
            )]));
        }
    };
    let owner = PolicyOwner::Role(&name);
    let released = release(&engine, owner, &stored, None).await?;
    failpoint::hit("role.removal-noted");
    engine.roles.delete(&name).await?;
    failpoint::hit("role.removed");
    tracing::info!(role = name, "role deleted");
    let subject = Subject {
        path: &format!("roles/{name}"),
        config: &stored.config,
        role: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::RoleDelete, subject);
    let warnings = match released {
        Some(released) => released.remove(&engine, deadline).await,
        None => Vec::new(),
    };
    Ok(Response::to_write(warnings))
}

/// What is known of what the organization has for the role.
fn known(stored: Option<&RoleEntry>) -> Known<'_> {
    Known {
        granted: stored.map(|role| &role.granted),
        database: stored.and_then(|role| role.database.as_ref()),
        former: None,
    }
}

/// Notes that `stored` gives its custom role up for `next`, if it does.
async fn release<'a>(
    engine: &Engine,
    owner: PolicyOwner<'a>,
    stored: &'a RoleEntry,
    next: Option<&RoleEntry>,
) -> Result<Option<ReleasedCustomRole<'a>>, Error> {
    let next = next.filter(|next| next.config == stored.config);
    let next = next.map(|next| &next.granted);
    ReleasedCustomRole::note(engine, &stored.config, owner, &stored.granted, next).await
}

/// The fields that are checked without Astra.
fn plain_fields(fields: &Fields, stored: Option<&RoleEntry>) -> Result<RoleEntry, RoleError> {
    let role = ATTRIBUTES.merged(fields, stored)?;
    let RoleEntry { ttl, max_ttl, .. } = role;
    if max_ttl > 0 && ttl > max_ttl {
        return Err(RoleError::TtlTooLong { ttl, max_ttl });
    }
    Ok(role)
}

/// So many seconds, as durations are written.
fn text(seconds: u64) -> String {
    format_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// A role may ask for more than the mount allows, and gets less; the operator should know.
pub(crate) fn cap_warnings(role: &RoleEntry, limits: Limits) -> Vec<String> {
    let max = limits.max_ttl.as_secs();
    [("ttl", role.ttl), ("max_ttl", role.max_ttl)]
        .into_iter()
        .filter(|(_, seconds)| *seconds > max)
        .map(|(field, seconds)| {
            format!(
                "{field}: {} is longer than the mount's max_lease_ttl, {max}, which caps it: \
                 leases last {max} at most until the mount is tuned",
                text(seconds),
                max = text(max)
            )
        })
        .collect()
}
