//! `roles/<name>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::RoleEntry;
use super::resolve::resolve;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::change::pick;
use crate::engine::config;
use crate::engine::upstream;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Fields;
use crate::framework::Path;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Outcome;
use crate::vault::Response;

const NAME: &str = "name";

/// The paths.
pub fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("roles/")
            .on(Operation::List, "List the roles.", list)
            .synopsis("List the roles.")
            .help("A role says which Astra roles a credential gets, from which config, and for how long."),
        Path::new("roles/{name}")
            .field(Field::string(NAME, "Name of the role.").required())
            .field(Field::string("config", "Config whose organization mints the tokens.").default(config::DEFAULT))
            .field(Field::comma_string_slice("astra_roles", "Astra roles that each token gets: names or ids.").required())
            .field(Field::duration("ttl", "How long a lease lasts. 0 means the mount's default.").default(0))
            .field(Field::duration("max_ttl", "How long a lease lasts in all, renewals included. 0 means the mount's maximum.").default(0))
            .field(Field::string("description", "Free text, added to the description of each token in Astra."))
            .exists(exists)
            .on(Operation::Create, "Write a role.", write)
            .on(Operation::Update, "Write a role.", write)
            .on(Operation::Patch, "Change some fields of a role.", patch)
            .on(Operation::Read, "Read a role.", read)
            .on(Operation::Delete, "Delete a role. Its leases stay and are still revoked.", delete)
            .synopsis("Which Astra roles a credential gets, and for how long.")
            .help(
                "Names of Astra roles are looked up in the organization when the role is written, and stored with their ids: \
                 a later change of a name in Astra changes nothing here. ttl and max_ttl are capped by the mount's.",
            ),
    ]
}

fn name_of(call: &Call) -> String {
    call.fields.text(NAME).unwrap_or_default()
}

async fn exists(engine: Arc<Engine>, call: Call) -> Result<bool, Error> {
    Ok(engine.roles.find(&name_of(&call)).await?.is_some())
}

async fn list(engine: Arc<Engine>, _call: Call) -> Outcome {
    let mut key_info = Map::new();
    let names = engine.roles.names().await?;
    for name in &names {
        if let Some(role) = engine.roles.find(name).await? {
            key_info.insert(
                name.clone(),
                json!({"config": role.config, "astra_roles": given(&role)}),
            );
        }
    }
    Ok(Some(Response::list(names, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> Outcome {
    let role = engine.roles.find(&name_of(&call)).await?;
    Ok(role.map(|role| Response::new(shown(&role))))
}

fn shown(role: &RoleEntry) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("config".into(), role.config.as_str().into());
    data.insert("astra_roles".into(), given(role).into());
    data.insert("astra_role_ids".into(), role.role_ids().into());
    data.insert("ttl".into(), role.ttl.into());
    data.insert("max_ttl".into(), role.max_ttl.into());
    data.insert("description".into(), role.description.as_str().into());
    data
}

fn given(role: &RoleEntry) -> Vec<String> {
    role.astra_roles
        .iter()
        .map(|role| role.given.clone())
        .collect()
}

async fn patch(engine: Arc<Engine>, call: Call) -> Outcome {
    let name = name_of(&call);
    if engine.roles.find(&name).await?.is_none() {
        let message = format!("role \"{name}\" does not exist: write it before patching it");
        return Err(Error::Coded {
            status: 404,
            message,
        });
    }
    write(engine, call).await
}

async fn write(engine: Arc<Engine>, call: Call) -> Outcome {
    let limits = engine.host.writer_limits().await?;
    let name = name_of(&call);
    let stored = engine.roles.find(&name).await?;
    let stored = stored.as_deref();
    let fields = &call.fields;
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
    let connection = engine.configs.require(&config).await?;
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
    let is_as_stored = stored.is_some_and(|role| role.config == config && given(role) == wanted);
    let astra_roles = match stored {
        // What was resolved once stays resolved, also while Astra is not reachable.
        Some(role) if is_as_stored => role.astra_roles.clone(),
        _ => {
            let roles = connection
                .client
                .roles(Deadline::after(engine.deadlines.operation))
                .await
                .map_err(|error| {
                    upstream::failed("list the organization's roles", &connection, &error)
                })?;
            resolve(&wanted, &roles, connection.entry.allow_token_admin)?
        }
    };
    let description = pick(
        fields,
        "description",
        Fields::text,
        stored.map(|role| role.description.clone()),
        String::new,
    );
    let role = RoleEntry {
        config,
        astra_roles,
        ttl,
        max_ttl,
        description,
    };
    let warnings = cap_warnings(&role, limits);
    engine.roles.lock().await.put(&name, role).await?;
    tracing::info!(role = name, "role written");
    Ok((!warnings.is_empty()).then(|| {
        warnings
            .into_iter()
            .fold(Response::default(), Response::with_warning)
    }))
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
fn cap_warnings(role: &RoleEntry, limits: crate::engine::host::Limits) -> Vec<String> {
    let max = limits.max_ttl.as_secs();
    [("ttl", role.ttl), ("max_ttl", role.max_ttl)]
        .into_iter()
        .filter(|(_, seconds)| *seconds > max)
        .map(|(field, seconds)| {
            format!("{field}: {seconds}s is longer than the mount's max_lease_ttl, {max}s, which caps it: leases last {max}s at most until the mount is tuned")
        })
        .collect()
}

async fn delete(engine: Arc<Engine>, call: Call) -> Outcome {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    engine.roles.lock().await.delete(&name).await?;
    tracing::info!(role = name, "role deleted");
    Ok(None)
}
