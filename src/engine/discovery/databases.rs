//! `databases/<config>`: the databases of the organization.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::config_field::CONFIG;
use super::config_field::config_field;
use crate::astra::Database;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::error::HandlerResult;
use crate::engine::role::database::api_endpoint;
use crate::engine::role::database::regions;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

pub(super) fn path() -> Path<Engine> {
    Path::new("databases/{config}/")
        .field(config_field())
        .on(Operation::List, "List the organization's databases.", list)
        .returns(Field::of_list())
        .synopsis("The databases of an Astra organization.")
        .help(
            "The keys are database ids; key_info tells name, status, keyspaces, regions, and the \
             endpoint of the HTTP APIs in each region.",
        )
}

async fn list(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.captured(CONFIG);
    let connection = engine.configs.require(&name).await?;
    let databases = connection
        .client
        .databases(Deadline::after(engine.deadlines.operation))
        .await;
    let mut databases = databases.map_err(|error| {
        astra_error::request_error("list the organization's databases", &connection, &error)
    })?;
    databases.sort_by(|one, other| one.id.cmp(&other.id));
    let keys = databases
        .iter()
        .map(|database| database.id.clone())
        .collect();
    let key_info = databases
        .iter()
        .map(|database| (database.id.clone(), shown(&connection.entry.url, database)))
        .collect();
    Ok(Some(Response::list(keys, key_info)))
}

fn shown(url: &str, database: &Database) -> Value {
    let regions = regions(database);
    let api_endpoints: BTreeMap<&str, String> = regions
        .iter()
        .map(|region| (*region, api_endpoint(url, database, region)))
        .collect();
    json!({
        "name": database.name,
        "status": database.status,
        "cloud_provider": database.cloud_provider,
        "keyspace": database.keyspace,
        "keyspaces": database.keyspaces,
        "region": database.region,
        "regions": regions,
        "api_endpoints": api_endpoints,
    })
}
