//! `roles/<name>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::json;

use super::attributes::ATTRIBUTES;
use super::name::NAME;
use super::name::name_of;
use super::unresolved;
use super::write;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::registry::Loaded;
use crate::engine::role::database;
use crate::engine::role::grant;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// The paths.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("roles/")
            .on(Operation::List, "List the roles.", list)
            .returns(Field::of_list())
            .synopsis("List the roles.")
            .help(
                "A role says which Astra roles a credential gets, from which config, and for how \
                 long.",
            ),
        Path::new("roles/{name}")
            .field(Field::name(NAME, "Name of the role.").required())
            .fields(ATTRIBUTES.parameters())
            .fields(grant::declare())
            .fields(database::declare())
            .field(
                Field::bool(
                    "force",
                    "Delete the role although its entry cannot be read.",
                )
                .query()
                .default(false)
                .only_for([Operation::Delete]),
            )
            .exists(exists)
            .on(Operation::Create, "Write a role.", write::write)
            .on(Operation::Update, "Write a role.", write::write)
            .on(
                Operation::Patch,
                "Change some fields of a role.",
                write::patch,
            )
            .on(Operation::Read, "Read a role.", read)
            .returns(shown_fields())
            .on(
                Operation::Delete,
                "Delete a role. Its leases stay and are still revoked. A custom Astra role that \
                 was kept for its policy is deleted with it.",
                write::delete,
            )
            .refuses_unknown_parameters()
            .synopsis("Which Astra roles a credential gets, and for how long.")
            .help(
                "Names of Astra roles are looked up in the organization when the role is written, and stored with their ids: \
                 a later change of a name in Astra changes nothing here. A read shows as unresolved_astra_roles what can no longer \
                 be found. With policy or access the engine keeps a custom Astra role, named vault-<mount id>-<role>, which is updated and \
                 deleted with this role; tokens that hold it lose its rights when it is deleted. ttl and max_ttl are capped by \
                 the mount's.",
            ),
    ]
}

/// The fields of a read.
fn shown_fields() -> Vec<Field> {
    ATTRIBUTES
        .answer()
        .chain(grant::shown())
        .chain(database::shown())
        .chain([Field::string_slice(
            "unresolved_astra_roles",
            "Astra roles that are no longer in the organization. Absent while Astra cannot be \
             asked.",
        )])
        .collect()
}

async fn exists(engine: Arc<Engine>, call: Call) -> Result<bool, Error> {
    let found = engine.roles.load(&name_of(&call)).await?;
    Ok(!matches!(found, Loaded::Missing))
}

async fn list(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let mut key_info = Map::new();
    let names = engine.roles.names().await?;
    for name in &names {
        let info = match engine.roles.load(name).await? {
            Loaded::Valid(role) => {
                let database = role.database.as_ref().map_or("", |database| &database.id);
                let mut info = Map::new();
                info.insert("config".into(), role.config.as_str().into());
                role.granted.list(&mut info);
                info.insert("database_id".into(), database.into());
                info.into()
            }
            Loaded::Corrupt(corrupt) => json!({"error": corrupt.error.to_string()}),
            Loaded::Missing => continue,
        };
        key_info.insert(name.clone(), info);
    }
    Ok(Some(Response::list(names, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let Some(role) = engine.roles.find(&name_of(&call)).await? else {
        return Ok(None);
    };
    let mut data = Map::new();
    ATTRIBUTES.show(&role, &mut data);
    role.granted.show(&mut data);
    database::show(role.database.as_ref(), &mut data);
    // Only a node that may write talks to Astra.
    if engine.host.require_writer().await.is_err() {
        return Ok(Some(Response::new(data)));
    }
    let connection = engine.configs.find(&role.config).await?;
    let unresolved = match &connection {
        Some(connection) => unresolved::look_up(&engine, &role.granted, connection).await,
        None => None,
    };
    let mut warnings = Vec::new();
    if connection.is_none() {
        warnings.push(format!(
            "config: \"{}\" does not exist, so no credentials can be minted: write the config, or \
             another one here",
            role.config
        ));
    }
    if let Some(unresolved) = unresolved {
        data.insert("unresolved_astra_roles".into(), unresolved.given.into());
        warnings.extend(unresolved.warnings);
    }
    Ok(Some(Response::new(data).with_warnings(warnings)))
}
