//! Writing and deleting a role: what is sent is checked, Astra is brought in step, the role is stored.

use std::sync::Arc;

use serde_json::Value;

use super::AstraRole;
use super::PolicyRole;
use super::RoleEntry;
use super::custom_role;
use super::database::Wanted;
use super::policy::Policy;
use super::resolve::resolve;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::change::pick;
use crate::engine::config;
use crate::engine::config::Connection;
use crate::engine::crash;
use crate::engine::events::Happening;
use crate::engine::events::Subject;
use crate::engine::host::Limits;
use crate::engine::upstream;
use crate::framework::Call;
use crate::framework::Fields;
use crate::vault::Error;
use crate::vault::Outcome;
use crate::vault::Response;

/// More live tokens than any role needs, and few enough to count.
const MAX_ACTIVE: u32 = 1_000_000;

/// What a role's tokens may do, as it was asked for.
enum Grant {
    /// By Astra roles, by name or id.
    AstraRoles(Vec<String>),
    /// By a policy; `is_sent` if it is part of this request.
    Policy { given: Value, is_sent: bool },
}

pub(super) async fn patch(engine: Arc<Engine>, call: Call) -> Outcome {
    let name = super::paths::name_of(&call);
    if engine.roles.find(&name).await?.is_none() {
        let message = format!("role \"{name}\" does not exist: write it before patching it");
        return Err(Error::Coded {
            status: 404,
            message,
        });
    }
    write(engine, call).await
}

pub(super) async fn write(engine: Arc<Engine>, call: Call) -> Outcome {
    let limits = engine.host.writer_limits().await?;
    let name = super::paths::name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.roles.changing(&name).await;
    // What cannot be read is replaced.
    let (stored, _) = engine.roles.find_readable(&name).await?;
    let stored = stored.as_deref();
    let fields = &call.fields;

    // What can be refused without asking Astra comes first.
    let mut role = plain_fields(fields, stored)?;
    let grant = grant(fields, stored)?;
    let wanted = wanted_database(fields, stored);
    wanted.check()?;
    let connection = engine.configs.require(&role.config).await?;
    let mut warnings = cap_warnings(&role, limits);

    let stored_here = stored.filter(|stored| stored.config == role.config);
    if !wanted.id.is_empty() {
        let known = stored_here.and_then(|stored| stored.database.as_ref());
        match known.filter(|known| Wanted::of(Some(known)) == wanted) {
            // What was found once stays, also while Astra is not reachable.
            Some(known) if !fields.was_sent("database_id") => role.database = Some(known.clone()),
            _ => {
                let (choice, found) = wanted.find(&connection, deadline).await?;
                role.database = Some(choice);
                warnings.extend(found);
            }
        }
    }
    match grant {
        Grant::AstraRoles(given) => {
            role.astra_roles = astra_roles(&given, stored_here, &connection, deadline).await?;
        }
        Grant::Policy { given, is_sent } => {
            let known = stored_here.and_then(|stored| stored.policy.as_ref());
            role.policy = Some(match known.filter(|_| !is_sent) {
                Some(known) => known.clone(),
                None => {
                    let org_id = org_id(&connection, deadline).await?;
                    let policy = Policy::parse(&given, &connection.name, &org_id)?;
                    policy.check_token_admin(connection.entry.allow_token_admin)?;
                    let known_id = known.map(|known| known.role_id.as_str());
                    let role_id = engine
                        .custom_roles
                        .bring_in_step(&connection, &name, &policy, known_id, deadline)
                        .await?;
                    PolicyRole {
                        given,
                        policy,
                        role_id,
                    }
                }
            });
        }
    }

    let abandoned = stored.and_then(|stored| abandoned(stored, &role));
    let abandoned = match abandoned {
        Some(custom) => note_removal(&engine, &name, stored, custom).await?,
        None => None,
    };
    let keeps_policy = role.policy.is_some();
    crash::point("role.checked");
    engine.roles.lock().await.put(&name, role).await?;
    crash::point("role.stored");
    if keeps_policy && let Err(error) = engine.custom_roles.forget(&connection.name, &name).await {
        tracing::debug!(role = name, %error, "the note of a custom role stays until the next tick");
    }
    if let Some((connection, custom)) = abandoned {
        warnings.extend(remove_custom_role(&engine, &name, &connection, custom, deadline).await);
    }
    tracing::info!(role = name, "role written");
    let subject = Subject {
        path: &format!("roles/{name}"),
        config: &connection.name,
        role: &name,
        ..Subject::default()
    };
    engine.events.tell(Happening::RoleWrite, subject);
    Ok(answer(warnings))
}

pub(super) async fn delete(engine: Arc<Engine>, call: Call) -> Outcome {
    engine.host.require_writer().await?;
    let name = super::paths::name_of(&call);
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.roles.changing(&name).await;
    let (stored, is_stored) = engine.roles.find_readable(&name).await?;
    let Some(stored) = stored else {
        if is_stored {
            engine.roles.lock().await.delete(&name).await?;
            tracing::info!(role = name, "unusable role deleted");
        }
        return Ok(None);
    };
    let custom = match &stored.policy {
        Some(custom) => note_removal(&engine, &name, Some(&stored), custom).await?,
        None => None,
    };
    crash::point("role.removal-noted");
    engine.roles.lock().await.delete(&name).await?;
    crash::point("role.removed");
    tracing::info!(role = name, "role deleted");
    let subject = Subject {
        path: &format!("roles/{name}"),
        config: &stored.config,
        role: &name,
        ..Subject::default()
    };
    engine.events.tell(Happening::RoleDelete, subject);
    let warnings = match (&stored.policy, custom) {
        (Some(_), Some((connection, custom))) => {
            remove_custom_role(&engine, &name, &connection, custom, deadline).await
        }
        (Some(custom), None) => vec![format!(
            "config \"{}\" does not exist, so the custom Astra role with id {} stays in its organization: delete it in Astra",
            stored.config, custom.role_id
        )],
        _ => Vec::new(),
    };
    Ok(answer(warnings))
}

/// The fields that need nobody else.
fn plain_fields(fields: &Fields, stored: Option<&RoleEntry>) -> Result<RoleEntry, Error> {
    let config = pick(
        fields,
        "config",
        Fields::text,
        stored.map(|role| role.config.clone()),
        || config::DEFAULT.to_owned(),
    );
    let ttl = seconds(fields, "ttl", stored.map(|role| role.ttl));
    let max_ttl = seconds(fields, "max_ttl", stored.map(|role| role.max_ttl));
    if max_ttl > 0 && ttl > max_ttl {
        return Err(Error::BadRequest(format!(
            "ttl: {ttl}s is longer than max_ttl, {max_ttl}s: shorten ttl or lengthen max_ttl"
        )));
    }
    let description = pick(
        fields,
        "description",
        Fields::text,
        stored.map(|role| role.description.clone()),
        String::new,
    );
    let require_reason = pick(
        fields,
        "require_reason",
        Fields::flag,
        stored.map(|role| role.require_reason),
        || false,
    );
    let max_active = pick(
        fields,
        "max_active",
        Fields::integer,
        stored.map(|role| role.max_active.into()),
        || 0,
    );
    let max_active = u32::try_from(max_active)
        .ok()
        .filter(|number| *number <= MAX_ACTIVE)
        .ok_or_else(|| {
            Error::BadRequest(format!(
                "max_active: {max_active} is out of range: give a number from 1 to {MAX_ACTIVE}, or 0 for no limit"
            ))
        })?;
    Ok(RoleEntry {
        config,
        ttl,
        max_ttl,
        description,
        require_reason,
        max_active,
        ..RoleEntry::default()
    })
}

/// Astra roles or policy: what is sent replaces what is stored, be it of the other kind.  What is
/// empty counts as left out, so that what was read can be written back.
fn grant(fields: &Fields, stored: Option<&RoleEntry>) -> Result<Grant, Error> {
    let sent = fields.sent();
    let roles = sent.strings("astra_roles").unwrap_or_default();
    let mut roles: Vec<String> = roles.into_iter().filter(|role| !role.is_empty()).collect();
    roles.sort();
    roles.dedup();
    let policy = sent.json("policy").filter(|policy| !is_empty(policy));
    let stored_roles = || {
        stored
            .filter(|_| !fields.was_sent("astra_roles"))
            .map(RoleEntry::given_roles)
            .filter(|roles| !roles.is_empty())
            .map(Grant::AstraRoles)
    };
    let stored_policy = || {
        let policy = stored
            .filter(|_| !fields.was_sent("policy"))
            .and_then(|role| role.policy.as_ref());
        policy.map(|policy| Grant::Policy {
            given: policy.given.clone(),
            is_sent: false,
        })
    };
    match (roles.is_empty(), policy) {
        (false, Some(_)) => Err(Error::BadRequest(
            "astra_roles and policy are both given: give the names or ids of Astra roles, or a policy for a role of its own, not \
             both"
                .to_owned(),
        )),
        (false, None) => Ok(Grant::AstraRoles(roles)),
        (true, Some(given)) => Ok(Grant::Policy {
            given,
            is_sent: true,
        }),
        (true, None) => stored_roles().or_else(stored_policy).ok_or_else(|| {
            Error::BadRequest(
                "astra_roles is missing: give one or more names or ids of Astra roles, or a policy instead".to_owned(),
            )
        }),
    }
}

fn is_empty(policy: &Value) -> bool {
    match policy {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn wanted_database(fields: &Fields, stored: Option<&RoleEntry>) -> Wanted {
    let before = stored.map(|role| Wanted::of(role.database.as_ref()));
    let is_cleared = fields.was_sent("database_id")
        && fields
            .sent()
            .text("database_id")
            .unwrap_or_default()
            .is_empty();
    // Without the database, what was stored about it has no meaning.
    let before = before.filter(|_| !is_cleared);
    let text = |name, read: fn(&Wanted) -> &String| {
        pick(
            fields,
            name,
            Fields::text,
            before.as_ref().map(|before| read(before).clone()),
            String::new,
        )
    };
    Wanted {
        id: text("database_id", |wanted| &wanted.id),
        region: text("region", |wanted| &wanted.region),
        keyspace: text("keyspace", |wanted| &wanted.keyspace),
        secure_connect_bundle: pick(
            fields,
            "secure_connect_bundle",
            Fields::flag,
            before.as_ref().map(|before| before.secure_connect_bundle),
            || false,
        ),
    }
}

async fn astra_roles(
    given: &[String],
    stored_here: Option<&RoleEntry>,
    connection: &Connection,
    deadline: Deadline,
) -> Result<Vec<AstraRole>, Error> {
    // What was resolved once stays resolved, also while Astra is not reachable.
    if let Some(stored) = stored_here.filter(|stored| stored.given_roles() == given) {
        return Ok(stored.astra_roles.clone());
    }
    let roles =
        connection.client.roles(deadline).await.map_err(|error| {
            upstream::failed("list the organization's roles", connection, &error)
        })?;
    resolve(given, &roles, connection.entry.allow_token_admin)
}

/// The connection's organization, which policies name.
async fn org_id(connection: &Connection, deadline: Deadline) -> Result<String, Error> {
    if let Some(org_id) = &connection.entry.org_id {
        return Ok(org_id.clone());
    }
    let found = connection.client.current_org(deadline).await;
    found.map_err(|error| upstream::failed("find out the organization", connection, &error))
}

/// The custom Astra role that `stored` claims and `role` no longer does.
fn abandoned<'a>(stored: &'a RoleEntry, role: &RoleEntry) -> Option<&'a PolicyRole> {
    let still_claimed = role.claim_in(&stored.config).map(|claim| &claim.role_id);
    let custom = stored.policy.as_ref()?;
    (still_claimed != Some(&custom.role_id)).then_some(custom)
}

/// Notes that a custom role is to go; `None` where its config is gone.
async fn note_removal<'a>(
    engine: &Engine,
    name: &str,
    stored: Option<&RoleEntry>,
    custom: &'a PolicyRole,
) -> Result<Option<(Arc<Connection>, &'a PolicyRole)>, Error> {
    let config = stored.map(|stored| stored.config.as_str());
    let Some(connection) = engine.configs.find(config.unwrap_or_default()).await? else {
        return Ok(None);
    };
    engine.custom_roles.note_removal(&connection, name).await?;
    Ok(Some((connection, custom)))
}

/// Deletes a custom role; warns when that failed, and of the tokens that hold it.
async fn remove_custom_role(
    engine: &Engine,
    name: &str,
    connection: &Connection,
    custom: &PolicyRole,
    deadline: Deadline,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let holders = connection.client.tokens(deadline).await.map(|tokens| {
        tokens
            .iter()
            .filter(|token| token.roles.contains(&custom.role_id))
            .count()
    });
    if let Ok(holders @ 1..) = holders {
        let custom_name = custom_role::name(connection, name);
        warnings.push(format!(
            "{holders} live tokens hold the custom Astra role \"{custom_name}\" and lose its rights with it; their leases stay and \
             are still revoked"
        ));
    }
    warnings.extend(
        engine
            .custom_roles
            .remove(connection, name, custom, deadline)
            .await,
    );
    warnings
}

fn seconds(fields: &Fields, name: &'static str, stored: Option<u64>) -> u64 {
    pick(
        fields,
        name,
        |fields, name| fields.duration(name).map(|ttl| ttl.as_secs()),
        stored,
        || 0,
    )
}

/// A role may ask for more than the mount allows, and gets less; the operator should know.
fn cap_warnings(role: &RoleEntry, limits: Limits) -> Vec<String> {
    let max = limits.max_ttl.as_secs();
    [("ttl", role.ttl), ("max_ttl", role.max_ttl)]
        .into_iter()
        .filter(|(_, seconds)| *seconds > max)
        .map(|(field, seconds)| {
            format!("{field}: {seconds}s is longer than the mount's max_lease_ttl, {max}s, which caps it: leases last {max}s at most until the mount is tuned")
        })
        .collect()
}

/// Nothing to say is HTTP 204.
fn answer(warnings: Vec<String>) -> Option<Response> {
    (!warnings.is_empty()).then(|| {
        warnings
            .into_iter()
            .fold(Response::default(), Response::with_warning)
    })
}
