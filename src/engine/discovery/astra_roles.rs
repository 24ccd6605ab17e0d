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

/// So many characters of a description are in a list, which is to fit a terminal.
const LISTED_DESCRIPTION: usize = 60;

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
            "The keys are the names that astra_roles of a Vault role takes; where several Astra roles have one name, \
             their ids stand in its place. Long descriptions end in \"…\"; astra-roles/<config>/<role> has the whole.",
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
        let mut info = listed(role);
        let key = if is_unique { &role.name } else { &role.id };
        if !is_unique {
            info.insert("name".into(), role.name.as_str().into());
        }
        keys.push(key.clone());
        key_info.insert(key.clone(), Value::Object(info));
    }
    keys.sort();
    Ok(Some(Response::list(keys, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let wanted = call.fields.captured(ROLE);
    let roles = roles(&engine, &call).await?;
    if let Some(role) = Role::with_id(&roles, &wanted) {
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

/// What fits a line of a list.
fn listed(role: &Role) -> Map<String, Value> {
    let policy = role.policy.as_ref();
    let description = policy.map_or("", |policy| policy.description.as_str());
    let mut info = Map::new();
    info.insert("id".into(), role.id.as_str().into());
    info.insert("description".into(), shortened(description).into());
    if let Some(policy) = policy {
        info.insert("action_count".into(), policy.actions.len().into());
    }
    info.insert("token_admin".into(), role.grants_token_admin().into());
    info
}

/// The beginning of `text`, and a sign where that is not all.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LISTED_DESCRIPTION {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LISTED_DESCRIPTION - 1).collect();
    short.push('…');
    short
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_description_is_cut_with_a_sign() {
        let fits = "ä".repeat(LISTED_DESCRIPTION);
        assert_eq!(shortened(&fits), fits);
        let long = shortened(&"ä".repeat(LISTED_DESCRIPTION + 1));
        assert_eq!(long.chars().count(), LISTED_DESCRIPTION);
        assert!(long.ends_with("ä…"), "{long}");
    }
}
