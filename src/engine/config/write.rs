//! Writing a config: what is sent is checked, the root token is tried, the config is stored.

use std::fmt::Display;
use std::sync::Arc;

use time::OffsetDateTime;

use super::archived_command;
use super::error::ConfigError;
use super::left_behind;
use super::name::name_of;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::astra::SetupError;
use crate::engine::Engine;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::DEFAULT_CONCURRENCY;
use crate::engine::connection::DEFAULT_REQUEST_TIMEOUT;
use crate::engine::connection::DEFAULT_URL;
use crate::engine::connection::OtherRoots;
use crate::engine::connection::fingerprint;
use crate::engine::connection::verify;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::merge::merge_field;
use crate::engine::registry::Loaded;
use crate::engine::schedule;
use crate::framework::Call;
use crate::framework::Fields;
use crate::secret::Secret;
use crate::vault::Response;

/// The longest that one HTTP attempt may be allowed to take: the whole operation has a minute.
const MAX_REQUEST_TIMEOUT: u64 = 60;
const MAX_CONCURRENCY: u32 = 1_000;

pub(super) async fn patch(engine: Arc<Engine>, call: Call) -> HandlerResult {
    // A standby may not know yet what the active node has stored, so the active node decides.
    engine.host.require_writer().await?;
    archived_command::check_parameters(&engine, &call).await?;
    let name = name_of(&call);
    if engine.configs.find(&name).await?.is_none() {
        return Err(ConfigError::NothingToPatch(name).into());
    }
    write(engine, call).await
}

pub(super) async fn write(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    archived_command::check_parameters(&engine, &call).await?;
    let name = name_of(&call);
    // The wait for another request counts too.
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.configs.lock(&name).await;
    let stored = match engine.configs.load(&name).await? {
        Loaded::Valid(connection) => Some(connection),
        Loaded::Corrupt(corrupt) => {
            corrupt.check_replaceable()?;
            None
        }
        Loaded::Missing => None,
    };
    let former = stored;
    let stored = former.as_ref().map(|connection| &connection.entry);
    let mut entry = merged(&call.fields, stored, engine.clock.now())?;
    check_not_retired(&entry, stored)?;
    check_not_redirected(&call.fields, &entry, stored)?;
    let client = build_client(&entry)?;
    let mut warnings = Vec::new();
    let sent_certificates = call.fields.sent().string("ca_cert").unwrap_or_default();
    if is_more_than(
        &sent_certificates,
        entry.ca_cert.as_deref().unwrap_or_default(),
    ) {
        warnings.push(
            "ca_cert: what stands outside of the CERTIFICATE blocks was not stored".to_owned(),
        );
    }
    if entry.verify {
        let verified =
            verify(&client, deadline)
                .await
                .map_err(|source| ConfigError::NotVerified {
                    name: name.clone(),
                    source,
                })?;
        entry.root_expires_at = verified.expires_at;
        resolve_organization(&call.fields, &mut entry, verified.org_id)?;
    } else {
        warnings.push("verify=false: the root token was stored without being tried".to_owned());
    }
    let force = call.fields.bool("force").unwrap_or_default();
    check_same_organization(&name, &entry, stored, force)?;
    if let Some(stored) = stored {
        warnings.extend(leave_behind(&mut entry, stored));
    }
    if let Some(former) = &former
        && former.entry.org_id != entry.org_id
    {
        warnings.extend(left_behind::warning(&engine, former).await?);
    }
    warnings.extend(entry.expiry_warning());
    failpoint::hit("config.checked");
    // Nothing may delete the root token from now on, and no other config may take it.
    let client_id = entry.token_client_id().to_owned();
    let _deleting = engine.pending_deletions.lock(&client_id).await;
    if stored.is_none_or(|stored| stored.token != entry.token)
        && let Some(other) = OtherRoots::than(&engine.configs, &name)
            .await?
            .owner(&client_id)
    {
        let other = other.to_owned();
        return Err(ConfigError::OthersToken { client_id, other }.into());
    }
    engine.configs.put(&name, entry).await?;
    failpoint::hit("config.stored");
    tracing::info!(config = name, "config written");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::ConfigWrite, subject);
    Ok(Response::to_write(warnings))
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
    // Nothing says that the present token is meant.
    if sent_token.is_none() && stored.is_some() && fields.was_sent("token") {
        return Err(ConfigError::TokenEmpty.into());
    }
    let (token, token_set_at) = match (sent_token, stored) {
        (Some(token), Some(stored)) if token == stored.token => (token, stored.token_set_at),
        (Some(token), _) => (token, now),
        (None, Some(stored)) => (stored.token.clone(), stored.token_set_at),
        (None, None) => {
            return Err(ConfigError::TokenMissing.into());
        }
    };
    crate::astra::client_id(token.expose()).map_err(ConfigError::Token)?;
    let text = |name| merge_field(fields, name, Fields::string, None, String::new);
    let url = merge_field(
        fields,
        "url",
        Fields::string,
        stored.map(|entry| entry.url.clone()),
        || DEFAULT_URL.to_owned(),
    );
    let url = crate::astra::BaseUrl::parse(&url).map_err(ConfigError::Url)?;
    let org_id = if fields.was_sent("org_id") {
        Some(text("org_id"))
    } else {
        stored.and_then(|entry| entry.org_id.clone())
    };
    let ca_cert = if fields.was_sent("ca_cert") {
        certificates(&text("ca_cert"))?
    } else {
        stored.and_then(|entry| entry.ca_cert.clone())
    };
    let seconds = |fields: &Fields, name: &str| fields.seconds(name);
    let request_timeout = merge_field(
        fields,
        "request_timeout",
        seconds,
        stored.map(|entry| entry.request_timeout as i64),
        || DEFAULT_REQUEST_TIMEOUT as i64,
    );
    let concurrency = merge_field(
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
        root_expires_at: stored
            .filter(|stored| stored.token == token)
            .and_then(|stored| stored.root_expires_at),
        pending_delete: stored
            .map(|entry| entry.pending_delete.clone())
            .unwrap_or_default(),
        rotation,
        rotation_set_at,
        disable_automated_rotation: merge_field(
            fields,
            "disable_automated_rotation",
            Fields::bool,
            stored.map(|entry| entry.disable_automated_rotation),
            || false,
        ),
        token,
        url: url.as_str().to_owned(),
        org_id: org_id.filter(|id| !id.is_empty()),
        verify: merge_field(
            fields,
            "verify",
            Fields::bool,
            stored.map(|entry| entry.verify),
            || true,
        ),
        ca_cert: ca_cert.filter(|pem| !pem.is_empty()),
        request_timeout: in_range("request_timeout", request_timeout, MAX_REQUEST_TIMEOUT)?,
        max_concurrent_requests: in_range("max_concurrent_requests", concurrency, MAX_CONCURRENCY)?,
        allow_token_admin: merge_field(
            fields,
            "allow_token_admin",
            Fields::bool,
            stored.map(|entry| entry.allow_token_admin),
            || false,
        ),
        token_set_at,
        retired: stored
            .map(|entry| entry.retired.clone())
            .unwrap_or_default(),
    })
}

fn in_range<T: TryFrom<i64> + PartialOrd + Display + Copy>(
    field: &'static str,
    value: i64,
    max: T,
) -> Result<T, ConfigError> {
    T::try_from(value)
        .ok()
        .filter(|number| value >= 1 && *number <= max)
        .ok_or(ConfigError::OutOfRange {
            field,
            value,
            max: max.to_string(),
        })
}

/// The certificates that are stored of what was sent; `None` where that is empty.
fn certificates(sent: &str) -> Result<Option<String>, ConfigError> {
    if sent.trim().is_empty() {
        return Ok(None);
    }
    let blocks = crate::astra::certificate_blocks(sent);
    let blocks = blocks.map_err(|error| ConfigError::Setup(SetupError::CaCert(error)))?;
    Ok(Some(blocks))
}

/// Whether something was sent beside the certificates.
fn is_more_than(sent: &str, stored: &str) -> bool {
    let mut kept = stored.lines();
    let sent = sent.lines().map(str::trim).filter(|line| !line.is_empty());
    sent.into_iter()
        .any(|line| !kept.any(|other| other == line))
}

fn build_client(entry: &ConfigEntry) -> Result<Client, ConfigError> {
    let settings = entry.client_config().map_err(ConfigError::Url)?;
    // Which organization the token belongs to is what is to be found out.
    let settings = ClientConfig {
        org_id: None,
        ..settings
    };
    Client::new(settings).map_err(ConfigError::Setup)
}

/// Refuses a root token that rotation replaced: storing it again would lock the engine out once
/// Astra has deleted it.
fn check_not_retired(entry: &ConfigEntry, stored: Option<&ConfigEntry>) -> Result<(), ConfigError> {
    if stored.is_some_and(|stored| stored.retired.contains(&fingerprint(&entry.token))) {
        return Err(ConfigError::Retired {
            client_id: entry.token_client_id().to_owned(),
        });
    }
    Ok(())
}

/// Refuses to send the stored root token to another address, or to trust another certificate with it,
/// as long as the caller does not show to have it: no read ever returns it.
fn check_not_redirected(
    fields: &Fields,
    entry: &ConfigEntry,
    stored: Option<&ConfigEntry>,
) -> Result<(), ConfigError> {
    let Some(stored) = stored.filter(|_| !fields.was_sent("token")) else {
        return Ok(());
    };
    if origin(&stored.url) != origin(&entry.url) {
        return Err(ConfigError::TokenNeeded { field: "url" });
    }
    if stored.ca_cert != entry.ca_cert {
        return Err(ConfigError::TokenNeeded { field: "ca_cert" });
    }
    Ok(())
}

/// Scheme, host and port of `url`.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |end| end + 3);
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|at| url.get(..host + at)).unwrap_or(url)
}

/// What becomes of root tokens that rotation minted when the operator gives another: no one else has
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
fn resolve_organization(
    fields: &Fields,
    entry: &mut ConfigEntry,
    token_org: String,
) -> Result<(), ConfigError> {
    match &entry.org_id {
        Some(wanted) if *wanted != token_org && fields.was_sent("org_id") => {
            Err(ConfigError::NotOfOrganization {
                token_org,
                wanted: wanted.clone(),
            })
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
) -> Result<(), ConfigError> {
    let (Some(old), Some(new)) = (
        stored.and_then(|stored| stored.org_id.as_ref()),
        &entry.org_id,
    ) else {
        return Ok(());
    };
    if old == new || force {
        return Ok(());
    }
    Err(ConfigError::OtherOrganization {
        name: name.to_owned(),
        old: old.clone(),
        new: new.clone(),
    })
}
