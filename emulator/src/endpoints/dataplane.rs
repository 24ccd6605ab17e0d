//! A stub of a database's own API, to see whether a token works there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::auth;
use crate::clock;
use crate::endpoints::call::Call;
use crate::endpoints::data_api;
use crate::ids;
use crate::policy::Rights;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::database::Database;

/// The permissions that open the data plane.
const ENTRY: [&str; 2] = ["db-rest", "db-cql"];

/// The answer of a database's own API; `None` for other operations.
pub(super) fn handle(call: &mut Call<'_>, endpoint: &Endpoint) -> Option<Result<Handled, Reply>> {
    Some(match endpoint {
        Endpoint::DataApi(host, keyspace) => command(call, endpoint, host, keyspace, None),
        Endpoint::DataCollection(host, keyspace, name) => {
            command(call, endpoint, host, keyspace, Some(name))
        }
        Endpoint::DataKeyspaces(host) => keyspaces(call, endpoint, host),
        Endpoint::DataCollections(host, keyspace) => collections(call, endpoint, host, keyspace),
        Endpoint::DataGraphql(host, keyspace) => graphql(call, endpoint, host, keyspace),
        _ => return None,
    })
}

/// `POST /_data/{database}-{region}/api/json/v1/{keyspace}`, perhaps with a collection behind it.
fn command(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    host: &str,
    keyspace: &str,
    collection: Option<&str>,
) -> Result<Handled, Reply> {
    let database = enter(call, endpoint, host, keyspace)?;
    let body = call.object()?;
    awake(&database)?;
    if !has(&database, keyspace) {
        // The real service, too, answers 200 here.
        let error = json!({"errors": [{
            "message": format!("Unknown keyspace '{keyspace}'"),
            "errorCode": "KEYSPACE_DOES_NOT_EXIST",
        }]});
        return Ok(Reply::json(200, &error).into());
    }
    let keyspace = (database.id, keyspace.to_owned());
    let result = match collection {
        None => data_api::on_keyspace(call, keyspace, &body)?,
        Some(name) => data_api::on_collection(call, &keyspace, name, &body)?,
    };
    Ok(Reply::json(200, &result).into())
}

/// `GET /_data/{database}-{region}/api/rest/v2/schemas/keyspaces`.
fn keyspaces(call: &mut Call<'_>, endpoint: &Endpoint, host: &str) -> Result<Handled, Reply> {
    let (database, rights) = opened_at(call, host)?;
    call.well_formed(endpoint)?;
    awake(&database)?;
    let names: Vec<Value> = database
        .keyspaces
        .iter()
        .filter(|keyspace| covers(&rights, &database, keyspace))
        .map(|keyspace| json!({"name": keyspace}))
        .collect();
    Ok(Reply::json(200, &json!({"data": names})).into())
}

/// `GET /_data/{database}-{region}/api/rest/v2/namespaces/{keyspace}/collections`.
fn collections(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    host: &str,
    keyspace: &str,
) -> Result<Handled, Reply> {
    let database = enter(call, endpoint, host, keyspace)?;
    awake(&database)?;
    if !has(&database, keyspace) {
        let error = json!({"description": format!("unknown namespace {keyspace}"), "code": 404});
        return Err(Reply::json(404, &error));
    }
    Ok(Reply::json(200, &json!({"data": []})).into())
}

/// `POST /_data/{database}-{region}/api/graphql/{keyspace}`: knows the name of the query type only.
fn graphql(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    host: &str,
    keyspace: &str,
) -> Result<Handled, Reply> {
    let database = enter(call, endpoint, host, keyspace)?;
    let body = call.object()?;
    awake(&database)?;
    if !has(&database, keyspace) {
        return Err(Reply::text(404, "no such keyspace\n"));
    }
    let query = body.get("query").and_then(Value::as_str);
    if !query.is_some_and(|query| query.contains("__schema")) {
        return Err(call.deviation("query", "the body has a query of the schema"));
    }
    let schema = json!({"queryType": {"name": "Query"}});
    Ok(Reply::json(200, &json!({"data": {"__schema": schema}})).into())
}

/// The database at `host`, for a caller whose token covers `keyspace`.
fn enter(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    host: &str,
    keyspace: &str,
) -> Result<Database, Reply> {
    let (database, rights) = session_at(call, host)?;
    if !covers(&rights, &database, keyspace) {
        return Err(unauthorized("the token's roles do not cover this keyspace"));
    }
    call.well_formed(endpoint)?;
    Ok(database)
}

/// The database at `host`, for a caller whose token covers it. For the API that is no HTTP: gRPC.
pub(crate) fn open(call: &mut Call<'_>, host: &str) -> Result<Database, Reply> {
    let (database, _) = opened_at(call, host)?;
    awake(&database)?;
    Ok(database)
}

/// The database at `host`, and the rights of a token that covers it.
fn opened_at(call: &mut Call<'_>, host: &str) -> Result<(Database, Rights), Reply> {
    let (database, rights) = session_at(call, host)?;
    let is_open = ENTRY
        .iter()
        .any(|action| rights.resource(action, &database.resource()));
    if !is_open {
        return Err(unauthorized("the token's roles do not cover this database"));
    }
    Ok((database, rights))
}

fn session_at(call: &mut Call<'_>, host: &str) -> Result<(Database, Rights), Reply> {
    let Some(database) = find(call, host) else {
        return Err(Reply::text(404, "no such database and region\n"));
    };
    let rights = session(call, &database)?;
    Ok((database, rights))
}

fn covers(rights: &Rights, database: &Database, keyspace: &str) -> bool {
    let resource = format!("{}:keyspace:{keyspace}", database.resource());
    ENTRY.iter().any(|action| {
        rights.resource(action, &database.resource()) && rights.resource(action, &resource)
    })
}

fn has(database: &Database, keyspace: &str) -> bool {
    database.keyspaces.iter().any(|own| own == keyspace)
}

fn awake(database: &Database) -> Result<(), Reply> {
    if database.status == "ACTIVE" {
        return Ok(());
    }
    Err(Reply::text(503, "the database is resuming\n"))
}

fn unauthorized(message: &str) -> Reply {
    Reply::json(
        401,
        &json!({"errors": [{"message": message, "errorCode": "UNAUTHENTICATED_REQUEST"}]}),
    )
}

fn find(call: &Call<'_>, host: &str) -> Option<Database> {
    let (id, region) = (host.get(..36)?, host.get(36..)?.strip_prefix('-')?);
    call.state
        .records
        .database(id)
        .filter(|database| database.regions.iter().any(|own| own == region))
        .cloned()
}

/// Authenticates: once opened, a session outlives its token until the cache drops it.
fn session(call: &mut Call<'_>, database: &Database) -> Result<Rights, Reply> {
    let request = call.request;
    let Some(token) = request.data_plane_token() else {
        call.record_violation("token_header", "neither Token nor X-Cassandra-Token");
        return Err(unauthorized("no token in the request"));
    };
    let Some((client_id, hash)) = ids::parse_token(token) else {
        call.record_violation("token_header", "not an application token");
        return Err(unauthorized("the token is malformed"));
    };
    let key = (Arc::<str>::from(client_id), database.id.clone());
    let life = Duration::from_secs(call.knobs().dataplane_cache_s);
    let cached = call
        .state
        .records
        .sessions
        .get(&key)
        .is_some_and(|opened| clock::later(*opened, life) > call.now);
    let state = &*call.state;
    let facts = if cached {
        state
            .records
            .ledger
            .find(client_id)
            .filter(|token| token.facts.hash == hash)
    } else {
        auth::known(state, client_id, hash, call.now).filter(|token| !token.expired(call.now))
    }
    .map(|token| token.facts.clone());
    let Some(facts) = facts else {
        call.state.records.sessions.remove(&key);
        return Err(unauthorized("the token is unknown, deleted or expired"));
    };
    if !cached && !life.is_zero() {
        call.state.records.sessions.insert(key, call.now);
    }
    // Permissions are looked up each time: a role edit shows at once.
    Ok(auth::rights(&call.state.records, &facts, &facts.org_id))
}
