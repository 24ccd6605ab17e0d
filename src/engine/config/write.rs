//! Writing a config: what is sent is checked, the root token is tried, the config is stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::OwnedMutexGuard;

use super::archived_command;
use super::attributes::ATTRIBUTES;
use super::attributes::CA_CERT;
use super::attributes::ORG_ID;
use super::attributes::URL;
use super::error::ConfigError;
use super::left_behind;
use super::name::name_of;
use super::pending_deletion;
use crate::astra::BaseUrl;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::DEFAULT_URL;
use crate::engine::connection::OtherRoots;
use crate::engine::connection::fingerprint;
use crate::engine::connection::verify;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::role_path::missing_rights;
use crate::engine::schedule;
use crate::engine::store::Key;
use crate::framework::Call;
use crate::framework::Fields;
use crate::secret::Secret;
use crate::vault::Response;

/// The parameter with the root token.
pub(super) const TOKEN: &str = "token";

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
    let former = engine.configs.load(&name).await?.replaceable()?;
    let stored = former.as_ref().map(|connection| &connection.entry);
    let mut entry = merged(&call.fields, stored, engine.clock.now())?;
    check_not_retired(&entry, stored)?;
    check_not_redirected(&call.fields, &entry, stored)?;
    let mut warnings = Vec::new();
    warnings.extend(cut_certificates(&call.fields, &entry));
    let _deleting = lock_roots(&engine, &entry, stored).await;
    warnings.extend(try_token(&engine, &name, &call.fields, &mut entry, deadline).await?);
    let force = call.fields.bool("force").unwrap_or_default();
    check_same_organization(&name, &entry, stored, force)?;
    if let Some(former) = &former {
        warnings.extend(leave_behind(&mut entry, &former.entry));
        if former.entry.org_id != entry.org_id {
            warnings.extend(left_behind::warning(&engine, former).await?);
        }
    }
    warnings.extend(entry.expiry_warning());
    failpoint::hit("config.checked");
    if stored.is_none_or(|stored| stored.token != entry.token) {
        check_no_other_has(&engine, &name, entry.token_client_id()).await?;
    }
    if let Some(former) = stored.filter(|former| is_moved(former, &entry)) {
        // The new organization's root token cannot delete what is in the former one.
        pending_deletion::record(&engine, former).await?;
    }
    let connection = engine.configs.put(&name, entry).await?;
    failpoint::hit("config.stored");
    if let Some(former) = former.filter(|former| former.entry.token != connection.entry.token) {
        // They are of the former root token.
        Failures::clear(&engine.store, &Key::root_rotation(&name)).await;
        // What rotation minted is deleted only once no request uses it any more.
        engine.replaced_roots.add(&former);
    }
    if connection.entry.verify {
        connection.health.forget_failures();
    }
    tracing::info!(config = name, "config written");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::ConfigWrite, subject);
    Ok(Response::to_write(warnings))
}

/// Tries the root token of `entry`, unless that is not wanted, and notes what it shows; what the operator
/// should know of it is returned.
async fn try_token(
    engine: &Engine,
    name: &str,
    fields: &Fields,
    entry: &mut ConfigEntry,
    deadline: Deadline,
) -> Result<Vec<String>, Error> {
    let client = build_client(entry)?;
    if !entry.verify {
        return Ok(vec![
            "verify=false: the root token was stored without being tried".to_owned(),
        ]);
    }
    let verified = verify(&client, &engine.clock, deadline).await;
    let verified = verified.map_err(|source| {
        let name = name.to_owned();
        ConfigError::NotVerified { name, source }
    })?;
    entry.root_expires_at = verified.expires_at;
    entry.root_role_ids = verified.role_ids;
    resolve_organization(fields, entry, verified.org_id)?;
    missing_rights::of_config(engine, name, entry, &verified.roles).await
}

/// The config that the sent fields make of the stored one.
fn merged(
    fields: &Fields,
    stored: Option<&ConfigEntry>,
    now: OffsetDateTime,
) -> Result<ConfigEntry, Error> {
    let mut entry = match (stored, sent_token(fields)?) {
        // Nothing says that the present token is meant.
        (Some(_), None) if fields.was_sent(TOKEN) => return Err(ConfigError::TokenEmpty.into()),
        (Some(stored), token) => {
            let mut entry = stored.clone();
            if let Some(token) = token.filter(|token| *token != stored.token) {
                entry.token = token;
                entry.token_set_at = now;
                entry.root_expires_at = None;
                entry.root_role_ids.clear();
                entry.root_life = None;
                entry.minted = false;
                entry.ends_by_schedule = false;
            }
            ATTRIBUTES.change(fields, &mut entry)?;
            entry
        }
        (None, Some(token)) => {
            let url = BaseUrl::parse(DEFAULT_URL).map_err(ConfigError::Url)?;
            let mut entry = ConfigEntry::new(token, &url, now);
            ATTRIBUTES.fill(fields, &mut entry)?;
            entry
        }
        (None, None) => return Err(ConfigError::TokenMissing.into()),
    };
    let rotation = schedule::read(fields, entry.rotation.as_ref())?;
    if entry.rotation != rotation {
        entry.rotation = rotation;
        entry.rotation_set_at = Some(now);
    }
    Ok(entry)
}

/// The root token that was sent; `None` where it is empty.
fn sent_token(fields: &Fields) -> Result<Option<Secret>, ConfigError> {
    // A file that the token is read from often ends with a line break.
    let sent = fields
        .secret(TOKEN)
        .map(|token| Secret::new(token.expose().trim().to_owned()))
        .filter(|token| !token.expose().is_empty());
    if let Some(token) = &sent {
        crate::astra::client_id(token.expose()).map_err(ConfigError::Token)?;
    }
    Ok(sent)
}

/// Refuses a token that another config has.
async fn check_no_other_has(engine: &Engine, name: &str, client_id: &str) -> Result<(), Error> {
    let others = OtherRoots::than(&engine.configs, name).await?;
    match others.owner(client_id) {
        Some(other) => {
            let (client_id, other) = (client_id.to_owned(), other.to_owned());
            Err(ConfigError::OthersToken { client_id, other }.into())
        }
        None => Ok(()),
    }
}

/// Warns where something was sent beside the certificates, of which only these are stored.
fn cut_certificates(fields: &Fields, entry: &ConfigEntry) -> Option<String> {
    let sent = fields.sent().string(CA_CERT).unwrap_or_default();
    let stored = entry.ca_cert.as_deref().unwrap_or_default();
    is_more_than(&sent, stored)
        .then(|| "ca_cert: what stands outside of the CERTIFICATE blocks was not stored".to_owned())
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
    let Some(stored) = stored.filter(|_| !fields.was_sent(TOKEN)) else {
        return Ok(());
    };
    if origin(&stored.url) != origin(&entry.url) {
        return Err(ConfigError::TokenNeeded { field: URL });
    }
    if stored.ca_cert != entry.ca_cert {
        return Err(ConfigError::TokenNeeded { field: CA_CERT });
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
    if !is_moved(stored, entry) || entry.pending_delete.is_empty() {
        return None;
    }
    let left = std::mem::take(&mut entry.pending_delete).join(", ");
    Some(format!(
        "root tokens that rotation minted or replaced are still in the former organization (client ids \
         {left}): the host's ticks delete them as long as its root token works"
    ))
}

/// Whether `entry` is for another organization than `former`.
fn is_moved(former: &ConfigEntry, entry: &ConfigEntry) -> bool {
    entry.org_id != former.org_id && former.org_id.is_some()
}

/// Keeps everyone else from deleting the root token of `entry` once it is tried, from taking it, and from
/// finishing what `former` leaves behind.
async fn lock_roots(
    engine: &Engine,
    entry: &ConfigEntry,
    former: Option<&ConfigEntry>,
) -> Vec<OwnedMutexGuard<()>> {
    let ids = former.into_iter().chain([entry]);
    // In one order, so that no two changes wait for each other.
    let ids: BTreeSet<&str> = ids.map(ConfigEntry::token_client_id).collect();
    let mut locks = Vec::new();
    for id in ids {
        locks.push(engine.pending_deletions.lock(id).await);
    }
    locks
}

/// Decides which organization the config is for, once the token's own is known.
fn resolve_organization(
    fields: &Fields,
    entry: &mut ConfigEntry,
    token_org: String,
) -> Result<(), ConfigError> {
    match &entry.org_id {
        Some(wanted) if *wanted != token_org && fields.was_sent(ORG_ID) => {
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

/// Refuses to change the organization, or to forget it: what is live in the old one could not be revoked any
/// more.
fn check_same_organization(
    name: &str,
    entry: &ConfigEntry,
    stored: Option<&ConfigEntry>,
    force: bool,
) -> Result<(), ConfigError> {
    let Some(old) = stored.and_then(|stored| stored.org_id.as_ref()) else {
        return Ok(());
    };
    if entry.org_id.as_ref() == Some(old) || force {
        return Ok(());
    }
    let (name, old) = (name.to_owned(), old.clone());
    Err(match entry.org_id.clone() {
        Some(new) => ConfigError::OtherOrganization { name, old, new },
        None => ConfigError::UnknownOrganization { name, old },
    })
}
