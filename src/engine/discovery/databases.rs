//! `databases/<config>`: the databases of the organization.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::config_field::CONFIG;
use super::config_field::config_field;
use super::error::DiscoveryError;
use crate::astra::Database;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::role::database::api_endpoint;
use crate::engine::role::database::regions;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const DATABASE: &str = "database";

pub(super) fn list_path() -> Path<Engine> {
    Path::new("databases/{config}/")
        .field(config_field())
        .on(Operation::List, "List the organization's databases.", list)
        .returns(Field::of_list())
        .synopsis("The databases of an Astra organization.")
        .help("The keys are database ids; key_info tells name, status, keyspaces and regions. databases/<config>/<database> tells more of one.")
}

pub(super) fn read_path() -> Path<Engine> {
    Path::new("databases/{config}/{database*}")
        .field(config_field())
        .field(
            Field::string(DATABASE, "Id of the database, or a name that no other has.").required(),
        )
        .on(
            Operation::Read,
            "Read one of the organization's databases.",
            read,
        )
        .returns([
            Field::string("id", "Id of the database.").required(),
            Field::string("name", "Name of the database.").required(),
            Field::string("status", "State of the database, such as ACTIVE.").required(),
            Field::string("cloud_provider", "Where it runs.").required(),
            Field::string("keyspace", "Its default keyspace.").required(),
            Field::string_slice("keyspaces", "All its keyspaces.").required(),
            Field::string("region", "Its primary region.").required(),
            Field::string_slice("regions", "All its regions.").required(),
            Field::map("api_endpoints", "Where its HTTP APIs are, by region.").required(),
        ])
        .synopsis("One database of an Astra organization.")
        .help("Shows its keyspaces, its regions, and the endpoint of the HTTP APIs in each.")
}

async fn list(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let (_, mut databases) = databases(&engine, &call).await?;
    databases.sort_by(|one, other| one.id.cmp(&other.id));
    let keys = databases
        .iter()
        .map(|database| database.id.clone())
        .collect();
    let key_info = databases
        .iter()
        .map(|database| (database.id.clone(), listed(database)))
        .collect();
    Ok(Some(Response::list(keys, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let wanted = call.fields.captured(DATABASE);
    let (connection, databases) = databases(&engine, &call).await?;
    let by_id = databases
        .iter()
        .find(|database| database.id.eq_ignore_ascii_case(&wanted));
    let named: Vec<&Database> = match by_id {
        Some(database) => vec![database],
        None => databases
            .iter()
            .filter(|database| database.name == wanted)
            .collect(),
    };
    match named.as_slice() {
        [] => Ok(None),
        [database] => Ok(Some(Response::new(shown(&connection.entry.url, database)))),
        several => {
            let ids: Vec<&str> = several.iter().map(|one| one.id.as_str()).collect();
            Err(DiscoveryError::AmbiguousDatabase {
                wanted,
                count: several.len(),
                ids: ids.join(", "),
            }
            .into())
        }
    }
}

async fn databases(
    engine: &Engine,
    call: &Call,
) -> Result<(Arc<Connection>, Vec<Database>), Error> {
    let name = call.fields.captured(CONFIG);
    let connection = engine.configs.require(&name).await?;
    let databases = connection
        .client
        .databases(Deadline::after(engine.deadlines.operation))
        .await;
    let databases = databases.map_err(|error| {
        astra_error::request_error("list the organization's databases", &connection, &error)
    })?;
    Ok((connection, databases))
}

/// What fits a line of a list.
fn listed(database: &Database) -> Value {
    json!({
        "name": database.name,
        "status": database.status,
        "cloud_provider": database.cloud_provider,
        "keyspaces": database.keyspaces,
        "regions": regions(database),
    })
}

fn shown(url: &str, database: &Database) -> Map<String, Value> {
    let regions = regions(database);
    let api_endpoints: BTreeMap<&str, String> = regions
        .iter()
        .map(|region| (*region, api_endpoint(url, database, region)))
        .collect();
    let mut data = Map::new();
    data.insert("id".into(), database.id.as_str().into());
    data.insert("name".into(), database.name.as_str().into());
    data.insert("status".into(), database.status.as_str().into());
    let provider = database.cloud_provider.as_str();
    data.insert("cloud_provider".into(), provider.into());
    data.insert("keyspace".into(), database.keyspace.as_str().into());
    data.insert("keyspaces".into(), json!(database.keyspaces));
    data.insert("region".into(), database.region.as_str().into());
    data.insert("regions".into(), json!(regions));
    data.insert("api_endpoints".into(), json!(api_endpoints));
    data
}
