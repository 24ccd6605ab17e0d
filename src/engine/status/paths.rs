//! The paths `status` and `status/<config>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::config_status::ConfigStatus;
use super::fields::shown_fields;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::registry::EntryKind;
use crate::engine::registry::Loaded;
use crate::engine::registry::Registry;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const NAME: &str = "name";

/// The paths.  `status` alone stands before the list, whose pattern also matches it.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("status")
            .on(Operation::Read, "Read how all configs fare.", read)
            .returns([
                Field::string("version", "Version of the plugin.").required(),
                Field::bool(
                    "may_write",
                    "Whether this node may write, so that it knows what is pending.",
                )
                .required(),
                Field::map("configs", "How each config fares, by its name.").required(),
                Field::map(
                    "unusable_entries",
                    "Why entries cannot be used, by their paths.",
                )
                .required(),
            ])
            .synopsis("How each config fares.")
            .help(
                "For scripts; status/<config> has the same of one config, for the eye. Asks each \
                 organization.",
            ),
        Path::new("status/{name}")
            .field(Field::string(NAME, "Name of the config.").required())
            .on(Operation::Read, "Read how a config fares.", read_one)
            .returns(shown_fields())
            .synopsis("How a config fares.")
            .help(
                "Whether its organization answers, the class of the last error, the root token's \
                 age and expiry, when it is rotated next and why that failed last, how many \
                 intents await clearing up, how many tokens of this mount are live, and what the \
                 organization does not support. Asks the organization.",
            ),
        Path::new("status/")
            .on(Operation::List, "List how the configs fare.", list)
            .returns(Field::of_list())
            .synopsis("How the configs fare, as a table.")
            .help(
                "The most telling part of status/<config> for each config. Asks each organization.",
            ),
    ]
}

async fn read(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let mut connections = Vec::new();
    let mut unusable = Map::new();
    for (name, loaded) in engine.configs.load_all().await? {
        match loaded {
            Loaded::Valid(connection) => connections.push(connection),
            Loaded::Corrupt(corrupt) => {
                let error = corrupt.error.to_string();
                unusable.insert(name, json!({"reachable": false, "error": error}));
            }
            Loaded::Missing => {}
        }
    }
    let mut others = Map::new();
    add_unusable(&engine.roles, "roles", &mut others).await?;
    add_unusable(&engine.static_roles, "static-roles", &mut others).await?;
    add_unusable(&engine.pending_deletions, "pending-deletions", &mut others).await?;
    let all = connections
        .iter()
        .map(|connection| ConfigStatus::of(&engine, connection));
    let all = futures_util::future::try_join_all(all).await?;
    let configs: Map<String, Value> = all
        .iter()
        .map(|status| {
            let mut shown = status.shown();
            // Seconds, for scripts.
            shown.insert("root_age".into(), status.age.into());
            shown.remove("may_write");
            (status.connection.name.clone(), shown.into())
        })
        .chain(unusable)
        .collect();
    let may_write = engine.host.may_write_recently().await;
    let mut data = Map::new();
    data.insert(
        "version".into(),
        concat!("v", env!("CARGO_PKG_VERSION")).into(),
    );
    data.insert("may_write".into(), may_write.into());
    data.insert("configs".into(), Value::Object(configs));
    data.insert("unusable_entries".into(), Value::Object(others));
    let mut warnings = standby(may_write);
    warnings.extend(connections.iter().filter_map(|connection| {
        let warning = connection.entry.expiry_warning()?;
        Some(format!("config \"{}\": {warning}", connection.name))
    }));
    Ok(Some(Response::new(data).with_warnings(warnings)))
}

async fn read_one(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.string(NAME).unwrap_or_default();
    let Some(connection) = engine.configs.find(&name).await? else {
        return Ok(None);
    };
    let status = ConfigStatus::of(&engine, &connection).await?;
    let mut warnings = standby(status.may_write);
    warnings.extend(connection.entry.expiry_warning());
    Ok(Some(Response::new(status.shown()).with_warnings(warnings)))
}

async fn list(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let loaded = engine.configs.load_all().await?;
    let rows = loaded
        .iter()
        .map(|(name, loaded)| row(&engine, name, loaded));
    let rows = futures_util::future::try_join_all(rows).await?;
    let key_info: Map<String, Value> = rows.into_iter().flatten().collect();
    let names = key_info.keys().cloned().collect();
    let warnings = standby(engine.host.may_write_recently().await);
    Ok(Some(
        Response::list(names, key_info).with_warnings(warnings),
    ))
}

/// One row of the table, which has to fit a terminal.
async fn row(
    engine: &Engine,
    name: &str,
    loaded: &Loaded<Connection>,
) -> Result<Option<(String, Value)>, Error> {
    let info = match loaded {
        Loaded::Valid(connection) => {
            let shown = ConfigStatus::of(engine, connection).await?.shown();
            let columns = [
                "reachable",
                "last_error",
                "live_lease_tokens",
                "pending_intents",
                "root_expires_at",
                "next_rotation",
            ];
            let columns = columns.map(|column| {
                let value = shown
                    .get(column)
                    .cloned()
                    .unwrap_or_else(|| "unknown".into());
                (column.to_owned(), value)
            });
            Map::from_iter(columns).into()
        }
        Loaded::Corrupt(corrupt) => json!({"error": corrupt.error.to_string()}),
        Loaded::Missing => return Ok(None),
    };
    Ok(Some((name.to_owned(), info)))
}

fn standby(may_write: bool) -> Vec<String> {
    let text = "this node may not write, so it does not know which intents are pending: ask the \
        active node";
    match may_write {
        true => Vec::new(),
        false => vec![text.to_owned()],
    }
}

/// Adds the entries of `registry` that cannot be used, each with the reason.
async fn add_unusable<K: EntryKind>(
    registry: &Registry<K>,
    folder: &str,
    unusable: &mut Map<String, Value>,
) -> Result<(), Error> {
    for (name, loaded) in registry.load_all().await? {
        if let Loaded::Corrupt(corrupt) = loaded {
            let error = corrupt.error.to_string();
            unusable.insert(format!("{folder}/{name}"), error.into());
        }
    }
    Ok(())
}
