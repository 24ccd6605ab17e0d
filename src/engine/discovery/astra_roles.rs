//! `astra-roles/<config>`: the roles that the organization offers.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::config_field::CONFIG;
use super::config_field::config_field;
use super::error::DiscoveryError;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const ROLE: &str = "role";

pub(super) fn list_path() -> Path<Engine> {
    Path::new("astra-roles/{config}/")
        .field(config_field())
        .on(
            Operation::List,
            "List the roles that the organization offers.",
            list,
        )
        .returns(Field::of_list())
        .synopsis("The roles of an Astra organization, built in and custom.")
        .help(
            "The keys are the names that astra_roles of a Vault role takes; where several Astra \
             roles have one name, their ids stand in its place.",
        )
}

pub(super) fn read_path() -> Path<Engine> {
    Path::new("astra-roles/{config}/{role*}")
        .field(config_field())
        .field(Field::string(ROLE, "Name or id of the Astra role.").required())
        .on(
            Operation::Read,
            "Read one of the organization's roles.",
            read,
        )
        .returns([
            Field::string("id", "Id of the Astra role.").required(),
            Field::string("name", "Name of the Astra role.").required(),
            Field::bool(
                "token_admin",
                "Whether its tokens could make tokens or roles.",
            )
            .required(),
            Field::string("description", "What Astra says of the role."),
            Field::string("effect", "What its policy does, allow."),
            Field::string_slice("actions", "What it allows."),
            Field::string_slice("resources", "On what it allows that."),
        ])
        .synopsis("One role of an Astra organization.")
        .help("Shows what the role allows: its actions and resources.")
}

async fn list(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let roles = roles(&engine, &call).await?;
    let mut keys = Vec::new();
    let mut key_info = Map::new();
    for role in &roles {
        let is_unique = roles.iter().filter(|other| other.name == role.name).count() == 1;
        let key = if is_unique { &role.name } else { &role.id };
        keys.push(key.clone());
        key_info.insert(key.clone(), Value::Object(shown(role)));
    }
    keys.sort();
    Ok(Some(Response::list(keys, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let wanted = call.fields.captured(ROLE);
    let roles = roles(&engine, &call).await?;
    let by_id = roles
        .iter()
        .find(|role| role.id.eq_ignore_ascii_case(&wanted));
    if let Some(role) = by_id {
        return Ok(Some(Response::new(shown(role))));
    }
    let named: Vec<&Role> = roles.iter().filter(|role| role.name == wanted).collect();
    match named.as_slice() {
        [] => Ok(None),
        [role] => Ok(Some(Response::new(shown(role)))),
        several => {
            let ids: Vec<&str> = several.iter().map(|role| role.id.as_str()).collect();
            Err(DiscoveryError::AmbiguousRole {
                wanted,
                count: several.len(),
                ids: ids.join(", "),
            }
            .into())
        }
    }
}

async fn roles(engine: &Engine, call: &Call) -> Result<Vec<Role>, Error> {
    let name = call.fields.captured(CONFIG);
    let connection = engine.configs.require(&name).await?;
    let roles = connection
        .client
        .roles(Deadline::after(engine.deadlines.operation))
        .await;
    let roles = roles.map_err(|error| {
        astra_error::request_error("list the organization's roles", &connection, &error)
    })?;
    engine.token_admins.learn(&connection.name, &roles);
    Ok(roles)
}

fn shown(role: &Role) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("id".into(), role.id.as_str().into());
    data.insert("name".into(), role.name.as_str().into());
    if let Some(policy) = &role.policy {
        data.insert("description".into(), policy.description.as_str().into());
        data.insert("actions".into(), json!(policy.actions));
        data.insert("resources".into(), json!(policy.resources));
        data.insert("effect".into(), policy.effect.as_str().into());
    }
    data.insert("token_admin".into(), role.grants_token_admin().into());
    data
}
