//! `config` and `config/<name>`.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::ConfigEntry;
use super::DEFAULT;
use super::entry::DEFAULT_CONCURRENCY;
use super::entry::DEFAULT_REQUEST_TIMEOUT;
use super::entry::DEFAULT_URL;
use super::entry::fingerprint;
use super::registry::Readable;
use super::remove::delete;
use super::verify::verify;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::change::pick;
use crate::engine::crash;
use crate::engine::events::Happening;
use crate::engine::events::Subject;
use crate::engine::rotation;
use crate::engine::rotation::Failures;
use crate::engine::schedule;
use crate::engine::store::Key;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Fields;
use crate::framework::Path;
use crate::secret::Secret;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Outcome;
use crate::vault::Response;

const NAME: &str = "name";
/// The longest that one HTTP attempt may be allowed to take: the whole operation has a minute.
const MAX_REQUEST_TIMEOUT: u64 = 60;
const MAX_CONCURRENCY: u32 = 1_000;

/// The paths.  `config` alone is the default config, so it stands before the list, whose pattern
/// also matches it.
pub fn paths() -> Vec<Path<Engine>> {
    vec![
        config_path(
            Path::new("config/{name}").field(Field::string(NAME, "Name of the config.").required()),
        ),
        config_path(Path::new("config")),
        Path::new("config/")
            .on(Operation::List, "List the configs.", list)
            .synopsis("List the configs.")
            .help(
                "A config is a named connection to one Astra organization: a URL and a root token.",
            ),
    ]
}

fn config_path(path: Path<Engine>) -> Path<Engine> {
    path.field(Field::string("token", "Root token: the Astra token that the engine itself uses. It needs org-token-write, org-token-read and every right that it is to grant. Never returned.").required().secret())
        .field(Field::string("url", "DevOps API, without /v2. https only; plain http only to a loopback address.").default(DEFAULT_URL))
        .field(Field::string("org_id", "Id of the organization. Found out from the token unless given; if given, it must be the token's own."))
        .field(Field::bool("verify", "Use the token before storing it. If that fails, nothing is stored.").default(true))
        .field(Field::string("ca_cert", "Certificates in PEM that are trusted in addition to the system's."))
        .field(Field::duration("request_timeout", "How long one HTTP attempt may take.").default(DEFAULT_REQUEST_TIMEOUT))
        .field(Field::int("max_concurrent_requests", "Requests to this organization at once, from this node.").default(DEFAULT_CONCURRENCY))
        .field(Field::bool("allow_token_admin", "Whether roles may grant rights to create tokens or roles. Such a token can outlive its lease by making another.").default(false))
        .fields(schedule::declare())
        .field(Field::bool("disable_automated_rotation", "Suspend rotation_period or rotation_schedule; rotate-root still works.").default(false))
        .field(Field::bool("force", "Delete although roles or live tokens need the config, or write a token of another organization. What is live then stays live until it expires.").query().default(false).only_for([Operation::Create, Operation::Update, Operation::Patch, Operation::Delete]))
        .exists(exists)
        .on(Operation::Create, "Write a config.", write)
        .on(Operation::Update, "Write a config.", write)
        .on(Operation::Patch, "Change some fields of a config.", patch)
        .on(Operation::Read, "Read a config, without its token.", read)
        .on(Operation::Delete, "Delete a config.", delete)
        .synopsis("The connection to an Astra organization.")
        .help(
            "The root token is used before it is stored: for the organization, its roles, its tokens, and for the right to \
             delete tokens. A read never returns it; it shows token_client_id and the first 16 hex digits of its SHA-256 as \
             token_sha256. A config is not deleted while roles name it or its tokens are live, unless force=true.",
        )
}

pub(super) fn name_of(call: &Call) -> String {
    // `config` alone has no name field.
    if call.request.path.trim_end_matches('/') == "config" {
        return DEFAULT.to_owned();
    }
    call.fields.text(NAME).unwrap_or_else(|| DEFAULT.to_owned())
}

async fn exists(engine: Arc<Engine>, call: Call) -> Result<bool, Error> {
    let found = engine.configs.find_readable(&name_of(&call)).await?;
    Ok(!matches!(found, Readable::None))
}

async fn list(engine: Arc<Engine>, _call: Call) -> Outcome {
    let mut key_info = Map::new();
    let names = engine.configs.names().await?;
    for name in &names {
        if let Readable::Yes(connection) = engine.configs.find_readable(name).await? {
            let ConfigEntry { url, org_id, .. } = &connection.entry;
            key_info.insert(name.clone(), json!({"url": url, "org_id": org_id}));
        }
    }
    Ok(Some(Response::list(names, key_info)))
}

async fn read(engine: Arc<Engine>, call: Call) -> Outcome {
    let name = name_of(&call);
    let Some(connection) = engine.configs.find(&name).await? else {
        return Ok(None);
    };
    let mut data = shown(&connection.entry);
    let failures = Failures::load(&engine.store, &Key::root_rotation(&name)).await?;
    rotation::show(connection.entry.next_rotation(), failures, &mut data);
    Ok(Some(Response::new(data)))
}

fn shown(entry: &ConfigEntry) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("url".into(), entry.url.as_str().into());
    data.insert(
        "org_id".into(),
        entry.org_id.as_deref().unwrap_or_default().into(),
    );
    data.insert("verify".into(), entry.verify.into());
    data.insert(
        "ca_cert".into(),
        entry.ca_cert.as_deref().unwrap_or_default().into(),
    );
    data.insert("request_timeout".into(), entry.request_timeout.into());
    data.insert(
        "max_concurrent_requests".into(),
        entry.max_concurrent_requests.into(),
    );
    data.insert("allow_token_admin".into(), entry.allow_token_admin.into());
    schedule::show(entry.rotation.as_ref(), &mut data);
    data.insert(
        "disable_automated_rotation".into(),
        entry.disable_automated_rotation.into(),
    );
    data.insert(
        "token_set_at".into(),
        rotation::time_text(Some(entry.token_set_at)).into(),
    );
    data.insert("token_client_id".into(), entry.token_client_id().into());
    data.insert("token_sha256".into(), fingerprint(&entry.token).into());
    data
}

async fn patch(engine: Arc<Engine>, call: Call) -> Outcome {
    let name = name_of(&call);
    if engine.configs.find(&name).await?.is_none() {
        let message = format!("config \"{name}\" does not exist: write it before patching it");
        return Err(Error::Coded {
            status: 404,
            message,
        });
    }
    write(engine, call).await
}

async fn write(engine: Arc<Engine>, call: Call) -> Outcome {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    let _changing = engine.configs.changing().await;
    // What cannot be read is replaced.
    let stored = match engine.configs.find_readable(&name).await? {
        Readable::Yes(connection) => Some(connection),
        Readable::No(_) | Readable::None => None,
    };
    let stored = stored.as_ref().map(|connection| &connection.entry);
    let mut entry = merged(&call.fields, stored, engine.clock.now())?;
    check_not_retired(&entry, stored)?;
    let client = build_client(&entry)?;
    let mut warnings = Vec::new();
    if entry.verify {
        let token_org = verify(&client, Deadline::after(engine.deadlines.operation))
            .await
            .map_err(|error| {
                Error::BadRequest(format!("config \"{name}\": {error}. Nothing was stored"))
            })?;
        settle_organization(&call.fields, &mut entry, token_org)?;
    } else {
        warnings.push("verify=false: the root token was stored without being tried".to_owned());
    }
    let force = call.fields.flag("force").unwrap_or_default();
    check_same_organization(&name, &entry, stored, force)?;
    if let Some(stored) = stored {
        warnings.extend(leave_behind(&mut entry, stored));
    }
    crash::point("config.checked");
    engine.configs.lock().await.put(&name, entry).await?;
    crash::point("config.stored");
    tracing::info!(config = name, "config written");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.tell(Happening::ConfigWrite, subject);
    Ok(answer(warnings))
}

/// The config that the sent fields make of the stored one.
fn merged(
    fields: &Fields,
    stored: Option<&ConfigEntry>,
    now: OffsetDateTime,
) -> Result<ConfigEntry, Error> {
    // A file that the token is read from often ends with a line break.
    let sent_token = fields
        .secret("token")
        .map(|token| Secret::new(token.expose().trim().to_owned()))
        .filter(|token| !token.expose().is_empty());
    let (token, token_set_at) = match (sent_token, stored) {
        (Some(token), Some(stored)) if token == stored.token => (token, stored.token_set_at),
        (Some(token), _) => (token, now),
        (None, Some(stored)) => (stored.token.clone(), stored.token_set_at),
        (None, None) => {
            return Err(Error::BadRequest(
                "token is missing: give the root token, an Astra application token with the rights org-token-write and \
                 org-token-read"
                    .to_owned(),
            ));
        }
    };
    crate::astra::client_id(token.expose())
        .map_err(|error| Error::BadRequest(format!("token: {error}")))?;
    let text = |name| pick(fields, name, Fields::text, None, String::new);
    let url = pick(
        fields,
        "url",
        Fields::text,
        stored.map(|entry| entry.url.clone()),
        || DEFAULT_URL.to_owned(),
    );
    let url = crate::astra::BaseUrl::parse(&url)
        .map_err(|error| Error::BadRequest(format!("url: {error}")))?;
    let org_id = if fields.was_sent("org_id") {
        Some(text("org_id"))
    } else {
        stored.and_then(|entry| entry.org_id.clone())
    };
    let ca_cert = if fields.was_sent("ca_cert") {
        Some(text("ca_cert"))
    } else {
        stored.and_then(|entry| entry.ca_cert.clone())
    };
    let seconds = |fields: &Fields, name: &str| fields.seconds(name);
    let request_timeout = pick(
        fields,
        "request_timeout",
        seconds,
        stored.map(|entry| entry.request_timeout as i64),
        || DEFAULT_REQUEST_TIMEOUT as i64,
    );
    let concurrency = pick(
        fields,
        "max_concurrent_requests",
        Fields::integer,
        stored.map(|entry| entry.max_concurrent_requests.into()),
        || DEFAULT_CONCURRENCY.into(),
    );
    let old_rotation = stored.and_then(|entry| entry.rotation.as_ref());
    let rotation = schedule::read(fields, old_rotation)?;
    let rotation_set_at = match stored {
        Some(stored) if stored.rotation == rotation => stored.rotation_set_at,
        _ => Some(now),
    };
    Ok(ConfigEntry {
        minted: stored.is_some_and(|stored| stored.minted && stored.token == token),
        pending_delete: stored
            .map(|entry| entry.pending_delete.clone())
            .unwrap_or_default(),
        rotation,
        rotation_set_at,
        disable_automated_rotation: pick(
            fields,
            "disable_automated_rotation",
            Fields::flag,
            stored.map(|entry| entry.disable_automated_rotation),
            || false,
        ),
        token,
        url: url.as_str().to_owned(),
        org_id: org_id.filter(|id| !id.is_empty()),
        verify: pick(
            fields,
            "verify",
            Fields::flag,
            stored.map(|entry| entry.verify),
            || true,
        ),
        ca_cert: ca_cert.filter(|pem| !pem.is_empty()),
        request_timeout: in_range("request_timeout", request_timeout, MAX_REQUEST_TIMEOUT)?,
        max_concurrent_requests: in_range("max_concurrent_requests", concurrency, MAX_CONCURRENCY)?,
        allow_token_admin: pick(
            fields,
            "allow_token_admin",
            Fields::flag,
            stored.map(|entry| entry.allow_token_admin),
            || false,
        ),
        token_set_at,
        retired: stored
            .map(|entry| entry.retired.clone())
            .unwrap_or_default(),
    })
}

fn in_range<T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy>(
    field: &str,
    value: i64,
    max: T,
) -> Result<T, Error> {
    T::try_from(value)
        .ok()
        .filter(|number| value >= 1 && *number <= max)
        .ok_or_else(|| {
            Error::BadRequest(format!(
                "{field}: {value} is out of range: give a number from 1 to {max}"
            ))
        })
}

fn build_client(entry: &ConfigEntry) -> Result<Client, Error> {
    let settings = entry
        .client_config()
        .map_err(|error| Error::BadRequest(format!("url: {error}")))?;
    Client::new(settings).map_err(|error| Error::BadRequest(error.to_string()))
}

/// Refuses a root token that rotation replaced: storing it again would lock the engine out once
/// Astra has deleted it.
fn check_not_retired(entry: &ConfigEntry, stored: Option<&ConfigEntry>) -> Result<(), Error> {
    if stored.is_some_and(|stored| stored.retired.contains(&fingerprint(&entry.token))) {
        return Err(Error::BadRequest(format!(
            "token: the token with client id {} was replaced by a rotation and is not taken back: leave token out to keep \
             the present one, or give a new one",
            entry.token_client_id()
        )));
    }
    Ok(())
}

/// What becomes of root tokens that rotation minted when the operator gives another: nobody else has
/// them, so they are to be deleted.
fn leave_behind(entry: &mut ConfigEntry, stored: &ConfigEntry) -> Option<String> {
    if stored.minted && stored.token != entry.token {
        entry
            .pending_delete
            .push(stored.token_client_id().to_owned());
    }
    let is_other = entry.org_id != stored.org_id && stored.org_id.is_some();
    if !is_other || entry.pending_delete.is_empty() {
        return None;
    }
    // The new organization's token cannot delete what is in the old one.
    let left = std::mem::take(&mut entry.pending_delete).join(", ");
    Some(format!(
        "root tokens that rotation minted stay live in the former organization: delete those with client ids {left} there"
    ))
}

/// Decides which organization the config is for, once the token's own is known.
fn settle_organization(
    fields: &Fields,
    entry: &mut ConfigEntry,
    token_org: String,
) -> Result<(), Error> {
    match &entry.org_id {
        Some(wanted) if *wanted != token_org && fields.was_sent("org_id") => {
            Err(Error::BadRequest(format!(
                "org_id: the token belongs to organization {token_org}, not to {wanted}: leave org_id out or give the token's own"
            )))
        }
        _ => {
            entry.org_id = Some(token_org);
            Ok(())
        }
    }
}

/// Refuses to change the organization: what is live in the old one could not be revoked any more.
fn check_same_organization(
    name: &str,
    entry: &ConfigEntry,
    stored: Option<&ConfigEntry>,
    force: bool,
) -> Result<(), Error> {
    let (Some(old), Some(new)) = (
        stored.and_then(|stored| stored.org_id.as_ref()),
        &entry.org_id,
    ) else {
        return Ok(());
    };
    if old == new || force {
        return Ok(());
    }
    Err(Error::BadRequest(format!(
        "config \"{name}\" is for organization {old}, but the token belongs to {new}: tokens that are live in {old} could \
         not be revoked any more. Use another config name for {new}, or force=true"
    )))
}

/// Nothing to say is HTTP 204.
pub(super) fn answer(warnings: Vec<String>) -> Option<Response> {
    (!warnings.is_empty()).then(|| {
        warnings
            .into_iter()
            .fold(Response::default(), Response::with_warning)
    })
}
