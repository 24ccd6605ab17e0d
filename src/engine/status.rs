//! `status`: how each config fares.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Engine;
use super::connection::Connection;
use super::failures::Failures;
use super::failures::show;
use super::registry::EntryKind;
use super::registry::Loaded;
use super::registry::Registry;
use super::store::Key;
use super::tagged_token::MountTokenFilter;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// How long an organization has to answer: status is asked when something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// The path.
pub fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("status")
            .on(Operation::Read, "Read how each config fares.", read)
            .returns([
                Field::string("version", "Version of the plugin.").required(),
                Field::map("configs", "How each config fares, by its name.").required(),
                Field::map("unusable_entries", "Why entries cannot be used, by their paths.").required(),
            ])
            .synopsis("How each config fares.")
            .help(
                "For each config: whether its organization answers, the class of the last error, the root token's age \
                 and expiry, when it is rotated next and why that failed last, how many intents await clearing up, how many tokens of this mount are live, and what the \
                 organization does not support. Asks each organization.",
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
    let shown = connections
        .iter()
        .map(|connection| shown(&engine, connection));
    let shown = futures_util::future::try_join_all(shown).await?;
    let configs: Map<String, Value> = connections
        .iter()
        .map(|connection| connection.name.clone())
        .zip(shown)
        .chain(unusable)
        .collect();
    let mut data = Map::new();
    data.insert(
        "version".into(),
        concat!("v", env!("CARGO_PKG_VERSION")).into(),
    );
    data.insert("configs".into(), Value::Object(configs));
    data.insert("unusable_entries".into(), Value::Object(others));
    Ok(Some(Response::new(data)))
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

async fn shown(engine: &Engine, connection: &Connection) -> Result<Value, Error> {
    let deadline = Deadline::after(PATIENCE);
    let reachable = connection.client.current_org(deadline).await;
    let tokens = match &reachable {
        Ok(_) => listed(connection, deadline).await,
        Err(error) => Err(error.clone()),
    };
    let listed = tokens.as_ref().ok();
    let root_expiry = listed.and_then(|listed| listed.root_expiry);
    if let Some(error) = reachable.as_ref().err().or(tokens.as_ref().err()) {
        connection.health.failed(error);
    }
    let last_error = connection.health.last_error();
    let age = engine.clock.now() - connection.entry.token_set_at;
    let failures = Failures::load(&engine.store, &Key::root_rotation(&connection.name)).await?;
    let rotation_failures = failures.as_ref().map_or(0, |failures| failures.count);
    let mut rotation = Map::new();
    show(connection.entry.next_rotation(), failures, &mut rotation);
    Ok(json!({
        "org_id": connection.entry.org_id,
        "reachable": reachable.is_ok(),
        "last_error": last_error.as_ref().map(|error| error.class),
        "last_error_at": last_error.as_ref().and_then(|error| error.at.format(&Rfc3339).ok()),
        "root_client_id": connection.entry.token_client_id(),
        "root_age": age.whole_seconds().max(0),
        "root_expires_at": root_expiry.and_then(|expiry| expiry.format(&Rfc3339).ok()),
        "next_rotation": rotation.get("next_rotation"),
        "rotation_failures": rotation_failures,
        "rotation_error": rotation.get("last_error"),
        "roots_to_delete": connection.entry.pending_delete,
        "pending_intents": connection.ledger.pending().await?,
        "live_tokens": listed.map(|listed| listed.live),
        "ignores_description": connection.ignores_description(),
        "ignores_expiry": connection.health.ignores_expiry(),
    }))
}

/// What the list of tokens tells of a config.
#[derive(Default)]
struct Listed {
    /// How many tokens of this mount are live.
    live: usize,
    /// When the root token ends; `None` where that is not known.
    root_expiry: Option<OffsetDateTime>,
}

async fn listed(connection: &Connection, deadline: Deadline) -> Result<Listed, astra::Error> {
    enum Seen {
        Live,
        Root {
            expiry: Option<OffsetDateTime>,
            is_ours: bool,
        },
    }
    let own = MountTokenFilter::of(connection);
    let root = connection.entry.token_client_id().to_owned();
    let look = move |token: &TokenEntry| match token.client_id == root {
        true => Some(Seen::Root {
            expiry: token.token_expiry,
            is_ours: own.tag(token).is_some(),
        }),
        false => own.tag(token).map(|_| Seen::Live),
    };
    let mut listed = Listed::default();
    for seen in connection.client.tokens(look, deadline).await? {
        match seen {
            Seen::Live => listed.live += 1,
            Seen::Root { expiry, is_ours } => {
                listed.root_expiry = expiry;
                listed.live += usize::from(is_ours);
            }
        }
    }
    Ok(listed)
}
