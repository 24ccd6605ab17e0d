//! `config` and `config/<name>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::json;

use super::archived_command;
use super::attributes::ATTRIBUTES;
use super::name::NAME;
use super::name::name_of;
use super::remove::delete;
use super::write;
use crate::engine::Engine;
use crate::engine::connection::ConfigEntry;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::failures;
use crate::engine::failures::Failures;
use crate::engine::registry::Loaded;
use crate::engine::schedule;
use crate::engine::store::Key;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// The paths.  `config` alone is the default config, so it stands before the list, whose pattern
/// also matches it.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        config_path(
            Path::new("config/{name}").field(Field::name(NAME, "Name of the config.").required()),
        ),
        config_path(Path::new("config")),
        Path::new("config/")
            .on(Operation::List, "List the configs.", list)
            .returns(Field::of_list())
            .synopsis("List the configs.")
            .help(
                "A config is a named connection to one Astra organization: a URL and a root token.",
            ),
    ]
}

fn config_path(path: Path<Engine>) -> Path<Engine> {
    path.field(
        Field::string(
            write::TOKEN,
            "Root token: the Astra token that the engine itself uses. It needs org-token-write, \
             org-token-read and every right that it is to grant. Never returned.",
        )
        .required()
        .secret(),
    )
    .fields(ATTRIBUTES.parameters())
    .fields(schedule::declare())
    .field(
        Field::bool(
            "force",
            "Delete although roles or live tokens need the config, or write a token of another \
             organization. What is live then stays live until it expires.",
        )
        .query()
        .default(false)
        .only_for([
            Operation::Create,
            Operation::Update,
            Operation::Patch,
            Operation::Delete,
        ]),
    )
    .exists(exists)
    .on(Operation::Create, "Write a config.", write::write)
    .on(Operation::Update, "Write a config.", write::write)
    .on(
        Operation::Patch,
        "Change some fields of a config.",
        write::patch,
    )
    .on(Operation::Read, "Read a config, without its token.", read)
    .returns(shown_fields())
    .on(Operation::Delete, "Delete a config.", delete)
    .synopsis("The connection to an Astra organization.")
    .help(
        "The root token is used before it is stored: for the organization, its roles, its tokens, \
         and for the right to delete tokens. A read never returns it; it shows token_client_id and \
         the first 16 hex digits of its SHA-256 as token_sha256. A config is not deleted while \
         roles name it or its tokens are live, unless force=true.",
    )
}

/// The fields of a read.
fn shown_fields() -> Vec<Field> {
    ATTRIBUTES
        .answer()
        .chain(schedule::shown())
        .chain(failures::shown())
        .collect()
}

async fn exists(engine: Arc<Engine>, call: Call) -> Result<bool, Error> {
    let found = engine.configs.load(&name_of(&call)).await?;
    Ok(!matches!(found, Loaded::Missing))
}

async fn list(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let mut key_info = Map::new();
    let names = engine.configs.names().await?;
    for name in &names {
        let info = match engine.configs.load(name).await? {
            Loaded::Valid(connection) => {
                let ConfigEntry { url, org_id, .. } = &connection.entry;
                json!({"url": url, "org_id": org_id})
            }
            Loaded::Corrupt(corrupt) => json!({"error": corrupt.error.to_string()}),
            Loaded::Missing => continue,
        };
        key_info.insert(name.clone(), info);
    }
    Ok(Some(Response::list(names, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = name_of(&call);
    archived_command::check_parameters(&engine, &call).await?;
    let found = engine.configs.find(&name).await?;
    let org_id = found
        .as_ref()
        .and_then(|connection| connection.entry.org_id.as_deref());
    archived_command::check_organization(&engine, &call, org_id).await?;
    let Some(connection) = found else {
        return Ok(None);
    };
    let entry = &connection.entry;
    let mut data = Map::new();
    ATTRIBUTES.show(entry, &mut data);
    schedule::show(entry.rotation.as_ref(), &mut data);
    let failures = Failures::load(&engine.store, &Key::root_rotation(&name)).await?;
    failures::show(entry.next_rotation(), failures, &mut data);
    Ok(Some(Response::new(data)))
}
