//! `org/token`, as the archived engine had it: so that applications can be moved to `creds/` one after
//! the other.  Only for roles that were imported, and only until the takeover is finished.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Map;
use serde_json::Value;

use super::org_token_error::OrgTokenError;
use crate::engine::Engine;
use crate::engine::archived_engine::CallerMode;
use crate::engine::archived_engine::OldToken;
use crate::engine::archived_engine::Record;
use crate::engine::archived_engine::role_id;
use crate::engine::creds;
use crate::engine::error::Error;
use crate::framework::Call;
use crate::framework::Fields;
use crate::vault;
use crate::vault::HandlerResult;
use crate::vault::Response;

pub(super) async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    serve(&engine, call, true).await
}

pub(super) async fn update(engine: Arc<Engine>, call: Call) -> HandlerResult {
    serve(&engine, call, false).await
}

async fn serve(engine: &Arc<Engine>, call: Call, is_read: bool) -> HandlerResult {
    let Some(record) = record(engine).await? else {
        return Err(vault::Error::UnsupportedPath);
    };
    Ok(Some(answer(engine, &record, &call, is_read).await?))
}

/// The record while the way back is open: there is no such path else.
async fn record(engine: &Engine) -> Result<Option<Arc<Record>>, Error> {
    // A read mints too.
    engine.host.require_writer().await?;
    let record = engine.archived.records.find().await?;
    Ok(record.filter(|record| record.is_open()))
}

async fn answer(
    engine: &Arc<Engine>,
    record: &Record,
    call: &Call,
    is_read: bool,
) -> Result<Response, Error> {
    engine
        .archived
        .org_token_uses
        .fetch_add(1, Ordering::Relaxed);
    let org_key = text(&call.fields, "org_id").ok_or(OrgTokenError::OrganizationMissing)?;
    let Some(imported) = record.configs.get(&org_key) else {
        return Err(OrgTokenError::ConfigNotImported(org_key).into());
    };
    let is_stored = is_read && imported.caller_mode == CallerMode::Standard;
    let (answer, role) = match is_stored {
        true => stored(engine, record, call, &org_key).await?,
        false => minted(engine, record, call, &org_key, imported.caller_mode).await?,
    };
    let mount = &call.request.mount_point;
    Ok(answer.with_warning(format!(
        "{mount}org/token is deprecated: read {mount}creds/{role}"
    )))
}

/// A parameter that is not empty.
fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.string(name).filter(|text| !text.is_empty())
}

/// A new token under a lease, and the name of its role.
async fn minted(
    engine: &Arc<Engine>,
    record: &Record,
    call: &Call,
    org_key: &str,
    mode: CallerMode,
) -> Result<(Response, String), Error> {
    let old_role = text(&call.fields, "role_name").ok_or(OrgTokenError::RoleMissing)?;
    let logical_name = match mode {
        CallerMode::Sidecar => String::new(),
        CallerMode::Standard => {
            text(&call.fields, "logical_name").ok_or(OrgTokenError::LogicalNameMissing)?
        }
    };
    let role = record
        .roles
        .get(&role_id(org_key, &old_role))
        .ok_or_else(|| OrgTokenError::RoleNotImported(old_role.clone()))?;
    let mut response = creds::issue(engine, &call.request, role, None, None).await?;
    let issued = std::mem::take(&mut response.data);
    let lease = response.lease.as_ref();
    let minted_at = lease.and_then(|lease| lease.internal_data.get("minted_at"));
    let value = |name: &str| issued.get(name).cloned().unwrap_or_default();
    let metadata = call.fields.pairs("metadata");
    response.data = Map::from_iter([
        ("token".to_owned(), value("token")),
        ("clientId".to_owned(), value("client_id")),
        ("orgId".to_owned(), org_key.into()),
        ("roleName".to_owned(), old_role.into()),
        ("logicalName".to_owned(), logical_name.into()),
        (
            "generatedOn".to_owned(),
            minted_at.cloned().unwrap_or_default(),
        ),
        ("metadata".to_owned(), pairs(metadata.unwrap_or_default())),
    ]);
    Ok((response, role.clone()))
}

/// A token that the archived engine minted, without a lease, and the name of its role.
async fn stored(
    engine: &Engine,
    record: &Record,
    call: &Call,
    org_key: &str,
) -> Result<(Response, String), Error> {
    let found = match text(&call.fields, "client_id") {
        Some(client_id) => {
            let is_it = |token: &OldToken| token.client_id == client_id;
            search(engine, org_key, is_it).await?
        }
        None => {
            let role = text(&call.fields, "role_name").ok_or(OrgTokenError::RoleMissing)?;
            let name =
                text(&call.fields, "logical_name").ok_or(OrgTokenError::LogicalNameMissing)?;
            let entries = &engine.archived.entries;
            match entries.named_token(org_key, &role, &name).await? {
                Some(read) => Some(read?),
                // Those of version 1 are stored by their client ids.
                None => {
                    let is_it =
                        |token: &OldToken| token.role_name == role && token.logical_name == name;
                    search(engine, org_key, is_it).await?
                }
            }
        }
    };
    let token = found
        .filter(|token| !token.client_id.is_empty())
        .ok_or_else(|| OrgTokenError::NotKept(call.request.mount_point.clone()))?;
    let role = record.roles.get(&role_id(org_key, &token.role_name));
    let role = role.cloned().unwrap_or_else(|| "<role>".to_owned());
    let data = Map::from_iter([
        ("token".to_owned(), token.token.expose().into()),
        ("clientId".to_owned(), token.client_id.into()),
        ("orgId".to_owned(), token.org_id.into()),
        ("roleName".to_owned(), token.role_name.into()),
        ("logicalName".to_owned(), token.logical_name.into()),
        ("generatedOn".to_owned(), token.generated_on.into()),
        (
            "metadata".to_owned(),
            pairs(token.metadata.unwrap_or_default()),
        ),
    ]);
    Ok((Response::new(data), role))
}

/// The stored token of the organization that `is_it`; what cannot be read is none.
async fn search(
    engine: &Engine,
    org_key: &str,
    is_it: impl Fn(&OldToken) -> bool,
) -> Result<Option<OldToken>, Error> {
    let tokens = engine.archived.entries.tokens().await?;
    let mut read = tokens.into_iter().filter_map(|(_, read)| read.ok());
    Ok(read.find(|token| token.org_id == org_key && is_it(token)))
}

fn pairs(pairs: BTreeMap<String, String>) -> Value {
    let values = pairs
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)));
    Value::Object(values.collect())
}
