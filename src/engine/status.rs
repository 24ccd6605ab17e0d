//! `status`: how each config fares.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::Engine;
use super::connection::Connection;
use super::connection::Seen;
use super::error::Error;
use super::error::HandlerResult;
use super::failures;
use super::failures::Failures;
use super::intent::Owner;
use super::registry::EntryKind;
use super::registry::Loaded;
use super::registry::Registry;
use super::store::Key;
use super::tagged_token::MountTokenFilter;
use super::time_text::time_text;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::framework::format_seconds;
use crate::vault::Operation;
use crate::vault::Response;

const NAME: &str = "name";

/// The paths.  `status` alone stands before the list, whose pattern also matches it.
pub(super) fn paths() -> Vec<Path<Engine>> {
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

/// The fields of one config's status.
fn shown_fields() -> Vec<Field> {
    let always = always_shown().into_iter().map(Field::required);
    always.chain(shown_where_known()).collect()
}

/// What is always told.
fn always_shown() -> Vec<Field> {
    vec![
        Field::string("org_id", "Id of the organization."),
        Field::bool("reachable", "Whether the organization answers."),
        Field::string(
            "last_error",
            "Class of the newest failure, such as unreachable. Empty where each request that \
             failed has succeeded since.",
        ),
        Field::string("last_error_at", "When that was. Empty without one."),
        Field::string("root_client_id", "Client id of the root token."),
        Field::string("root_age", "How long the config has had its root token."),
        Field::string(
            "root_expires_at",
            "When Astra ends the root token. Empty where it does not, or is not known to.",
        ),
        Field::string(
            "next_rotation",
            "When the root token is rotated next. Empty without a schedule.",
        ),
        Field::int(
            "rotation_failures",
            "How often the rotation that is due has failed.",
        ),
        Field::string("rotation_error", "Why it failed last."),
        Field::string_slice(
            "roots_to_delete",
            "Client ids of former root tokens that are still to be deleted.",
        ),
        Field::bool(
            "may_write",
            "Whether this node may write, so that it knows what is pending.",
        ),
        Field::bool(
            "ignores_description",
            "Whether the organization keeps no descriptions, so that lost tokens cannot be found.",
        ),
        Field::bool(
            "ignores_expiry",
            "Whether the organization keeps no expiries, so that only the end of a lease ends a \
             token.",
        ),
    ]
}

/// What is told where it is known.
fn shown_where_known() -> Vec<Field> {
    vec![
        Field::int(
            "pending_intents",
            "How many tokens may exist that no one has. Absent on a node that may not write.",
        ),
        Field::int(
            "live_tokens",
            "How many tokens of this config are live, all kinds. Absent while Astra does not \
             answer, and where it keeps no descriptions.",
        ),
        Field::int("live_lease_tokens", "How many of them are under leases."),
        Field::int(
            "live_static_role_tokens",
            "How many of them are of static roles.",
        ),
        Field::int(
            "live_root_tokens",
            "How many of them are root tokens that rotation made.",
        ),
    ]
}

/// How a config fares.
struct ConfigStatus<'a> {
    connection: &'a Connection,
    is_reachable: bool,
    may_write: bool,
    age: i64,
    rotation: Map<String, Value>,
    rotation_failures: u64,
    pending_intents: Option<usize>,
    seen: Option<Seen>,
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

impl<'a> ConfigStatus<'a> {
    async fn of(engine: &Engine, connection: &'a Connection) -> Result<Self, Error> {
        let deadline = Deadline::after(engine.deadlines.status);
        let reachable = connection.client.current_org(deadline).await;
        let seen = match &reachable {
            Ok(_) => look(engine, connection, deadline).await,
            Err(error) => {
                connection.health.failed(error);
                Ok(None)
            }
        }?;
        let age = engine.clock.now() - connection.entry.token_set_at;
        let failures = Failures::load(&engine.store, &Key::root_rotation(&connection.name)).await?;
        let rotation_failures = failures.as_ref().map_or(0, |failures| failures.count);
        let mut rotation = Map::new();
        failures::show(connection.entry.next_rotation(), failures, &mut rotation);
        // What a predecessor left is read by a node that may write: another would take the present
        // intents of the active node for it.
        let may_write = engine.host.may_write_recently().await;
        let pending_intents = match may_write {
            true => Some(connection.ledger.pending().await?),
            false => None,
        };
        Ok(Self {
            connection,
            is_reachable: reachable.is_ok(),
            may_write,
            age: age.whole_seconds().max(0),
            rotation,
            rotation_failures: rotation_failures.into(),
            pending_intents,
            seen,
        })
    }

    /// Flat: texts are empty and numbers absent where there is nothing to tell.
    fn shown(&self) -> Map<String, Value> {
        let Connection { entry, health, .. } = self.connection;
        let last_error = health.last_error();
        let class = last_error.as_ref().map_or("", |error| error.class);
        let text = |time: Option<OffsetDateTime>| Value::from(time_text(time));
        let rotation = |name: &str| self.rotation.get(name).cloned().unwrap_or_default();
        let mut shown = Map::new();
        shown.insert(
            "org_id".into(),
            entry.org_id.as_deref().unwrap_or_default().into(),
        );
        shown.insert("reachable".into(), self.is_reachable.into());
        shown.insert("last_error".into(), class.into());
        shown.insert(
            "last_error_at".into(),
            text(last_error.map(|error| error.at)),
        );
        shown.insert("root_client_id".into(), entry.token_client_id().into());
        shown.insert("root_age".into(), format_seconds(self.age).into());
        let root_expiry = self.seen.as_ref().and_then(|seen| seen.root_expiry);
        shown.insert("root_expires_at".into(), text(root_expiry));
        shown.insert("next_rotation".into(), rotation("next_rotation"));
        shown.insert("rotation_failures".into(), self.rotation_failures.into());
        shown.insert("rotation_error".into(), rotation("rotation_error"));
        shown.insert(
            "roots_to_delete".into(),
            entry.pending_delete.clone().into(),
        );
        shown.insert("may_write".into(), self.may_write.into());
        shown.insert(
            "ignores_description".into(),
            self.connection.ignores_description().into(),
        );
        shown.insert("ignores_expiry".into(), health.ignores_expiry().into());
        if let Some(pending) = self.pending_intents {
            shown.insert("pending_intents".into(), pending.into());
        }
        // Without descriptions a count of 0 would say that there are none.
        let seen = self.seen.as_ref();
        if let Some(seen) = seen.filter(|_| !self.connection.ignores_description()) {
            shown.insert("live_tokens".into(), seen.live().into());
            shown.insert("live_lease_tokens".into(), seen.leased.into());
            shown.insert(
                "live_static_role_tokens".into(),
                seen.of_static_roles.into(),
            );
            shown.insert("live_root_tokens".into(), seen.roots.into());
        }
        shown
    }
}

/// Counts the mount's live tokens of a config; `None` where Astra does not answer.  What is seen is
/// remembered for metrics.
pub(super) async fn look(
    engine: &Engine,
    connection: &Connection,
    deadline: Deadline,
) -> Result<Option<Seen>, Error> {
    let name = &connection.name;
    let static_roles = engine.static_roles.names().await?.into_iter();
    let static_roles: HashSet<Owner> = static_roles
        .map(|role| Owner::of(name, &format!("static-roles/{role}")))
        .collect();
    let roots = Owner::of(name, &format!("rotate-root/{name}"));
    match list_tokens(connection, static_roles, roots, deadline).await {
        Ok(seen) => {
            connection.health.saw(seen.clone());
            Ok(Some(seen))
        }
        Err(error) => {
            connection.health.failed(&error);
            Ok(None)
        }
    }
}

async fn list_tokens(
    connection: &Connection,
    static_roles: HashSet<Owner>,
    roots: Owner,
    deadline: Deadline,
) -> Result<Seen, astra::Error> {
    enum Kind {
        Leased,
        StaticRole,
        Root,
        Other,
    }
    let own = MountTokenFilter::of(connection);
    let root = connection.entry.token_client_id().to_owned();
    let select = move |token: &TokenEntry| {
        let kind = match own.tag(token).map(|tag| tag.owner) {
            Some(owner) if owner == roots => Kind::Root,
            Some(owner) if static_roles.contains(&owner) => Kind::StaticRole,
            Some(_) => Kind::Leased,
            None => Kind::Other,
        };
        let present = (token.client_id == root).then_some(token.token_expiry);
        (present.is_some() || !matches!(kind, Kind::Other)).then_some((kind, present.flatten()))
    };
    let mut seen = Seen::new();
    for (kind, root_expiry) in connection.client.tokens(select, deadline).await? {
        match kind {
            Kind::Leased => seen.leased += 1,
            Kind::StaticRole => seen.of_static_roles += 1,
            Kind::Root => seen.roots += 1,
            Kind::Other => {}
        }
        seen.root_expiry = seen.root_expiry.or(root_expiry);
    }
    Ok(seen)
}
