//! `/v2/clientIdSecrets` and `/v2/tokens`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::auth;
use crate::auth::Caller;
use crate::clock;
use crate::endpoints::call::Call;
use crate::ids;
use crate::knobs::DeleteMissing;
use crate::knobs::DeleteReply;
use crate::knobs::ListFields;
use crate::knobs::MaxExpiryMode;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::service_state::NewToken;
use crate::state::token::Facts;
use crate::state::token::Origin;

/// The answer to a create, field order as documented.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    client_id: &'a str,
    secret: &'a str,
    org_id: &'a str,
    roles: &'a [String],
    token: String,
    generated_on: String,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expiry: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    client_id: &'a str,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expiry: Option<Option<String>>,
}

pub(super) fn list(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-token-read")?;
    call.well_formed(endpoint)?;
    let knobs = &call.state.knobs;
    let (fields, expired) = (knobs.list_fields, knobs.list_expired);
    let stale = Duration::from_millis(knobs.list_stale_ms);
    let (now, seen) = (call.now, clock::earlier(call.now, stale));
    let records = &call.state.records;
    let tokens: Vec<(Arc<Facts>, Option<OffsetDateTime>)> = records
        .ledger
        .iter()
        .filter(|token| {
            token.list_from <= seen
                && (token.deleted_at.is_none() || token.list_until.is_some_and(|until| until > now))
                && (expired || !token.expired(now))
                && caller.reaches(records, &token.facts.org_id)
        })
        .map(|token| (token.facts.clone(), token.expiry))
        .collect();
    let mut handled = Handled::from(Reply::json(200, &()));
    handled.deferred = Some(Box::new(move || render(&tokens, fields).into()));
    Ok(handled)
}

fn render(tokens: &[(Arc<Facts>, Option<OffsetDateTime>)], fields: ListFields) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        clients: Vec<Listed<'a>>,
    }
    let full = fields == ListFields::Full;
    let clients = tokens
        .iter()
        .map(|(facts, expiry)| Listed {
            client_id: &facts.client_id,
            roles: &facts.roles,
            generated_on: (fields != ListFields::Oas).then(|| clock::millis(facts.generated_on)),
            description: full.then_some(facts.description.as_str()),
            token_expiry: full.then(|| expiry.map(clock::millis)),
        })
        .collect();
    serde_json::to_vec(&List { clients }).unwrap_or_default()
}

pub(super) fn create(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    with_org: bool,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-token-write")?;
    call.well_formed(endpoint)?;
    let body = call.object()?;
    known_fields(call, &body, with_org)?;
    let org = organization(call, caller, &body, with_org)?;
    let mut roles = role_ids(call, &body)?;
    let description = description(call, &body)?;
    let expiry = expiry(call, &body, &org)?;
    granted(call, caller, &org, &roles)?;
    let knobs = &call.state.knobs;
    if let Some(max) = knobs.max_tokens
        && call.state.records.ledger.count(&org) >= max
    {
        return Err(call.refuse(
            knobs.max_tokens_status,
            "the organization has too many tokens",
        ));
    }
    if call.drop_role && !roles.is_empty() {
        roles.remove(0);
    }
    let facts = call.state.mint(
        NewToken {
            org_id: org.into(),
            roles,
            description,
            expiry,
            minted_by: Some(caller.client_id.clone()),
            origin: Origin::Api,
            enterprise: false,
        },
        call.now,
    );
    let created = Created {
        client_id: &facts.client_id,
        secret: &facts.secret,
        org_id: &facts.org_id,
        roles: &facts.roles,
        token: facts.token(),
        generated_on: clock::rfc3339(facts.generated_on),
        description: &facts.description,
        token_expiry: expiry.map(clock::rfc3339),
    };
    let mut handled = Handled::done(Reply::json(call.state.knobs.create_status, &created));
    handled.subject = Some(facts.client_id.clone());
    handled.minted = true;
    Ok(handled)
}

fn known_fields(
    call: &mut Call<'_>,
    body: &Map<String, Value>,
    with_org: bool,
) -> Result<(), Reply> {
    if !call.state.strict() {
        return Ok(());
    }
    for name in body.keys() {
        match name.as_str() {
            "roles" | "description" | "tokenExpiry" => {}
            "orgId" if with_org => {}
            other => {
                let text = format!("unknown field {other}");
                return Err(call.deviation("unknown_field", &text));
            }
        }
    }
    Ok(())
}

fn organization(
    call: &mut Call<'_>,
    caller: &Caller,
    body: &Map<String, Value>,
    with_org: bool,
) -> Result<String, Reply> {
    match body.get("orgId").filter(|_| with_org) {
        None => Ok(caller.org.clone()),
        Some(Value::String(id)) if ids::is_uuid(id) => {
            if caller.reaches(&call.state.records, id) {
                return Ok(id.clone());
            }
            Err(call.refuse(403, "the token does not reach this organization"))
        }
        Some(_) => Err(call.deviation("org_id", "orgId is not a UUID")),
    }
}

fn role_ids(call: &mut Call<'_>, body: &Map<String, Value>) -> Result<Vec<String>, Reply> {
    let Some(Value::Array(items)) = body.get("roles") else {
        return Err(call.deviation("roles", "roles is required and is an array"));
    };
    if items.is_empty() {
        return Err(call.deviation("roles", "roles is empty"));
    }
    let mut roles: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(id) = item else {
            return Err(call.deviation("roles", "a role is not a string"));
        };
        if !ids::is_uuid(id) && !call.state.knobs.accept_unknown_roles {
            return Err(call.deviation("roles", "a role is not a UUID"));
        }
        if roles.contains(id) {
            return Err(call.deviation("roles", "a role is named twice"));
        }
        roles.push(id.clone());
    }
    Ok(roles)
}

fn description(call: &mut Call<'_>, body: &Map<String, Value>) -> Result<String, Reply> {
    let text = match body.get("description") {
        None => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(call.deviation("description", "description is not a string")),
    };
    let knobs = &call.state.knobs;
    if text.len() > knobs.max_description {
        // The limit is not documented, so this is a refusal but no deviation.
        return Err(call.refuse(400, "description is too long"));
    }
    if knobs.ignore_description {
        return Ok(String::new());
    }
    let keep = knobs.truncate_description.unwrap_or(usize::MAX);
    Ok(text
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= keep)
        .map(|(_, c)| c)
        .collect())
}

fn expiry(
    call: &mut Call<'_>,
    body: &Map<String, Value>,
    org: &str,
) -> Result<Option<OffsetDateTime>, Reply> {
    let latest = call
        .state
        .max_token_life(org)
        .map(|life| clock::later(call.now, life));
    let asked = match body.get("tokenExpiry") {
        None => None,
        Some(Value::String(text)) => {
            let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
            let Some(at) = parsed.filter(|_| text.ends_with('Z') || !call.state.strict()) else {
                return Err(
                    call.deviation("token_expiry", "tokenExpiry is not RFC 3339 in UTC (Z)")
                );
            };
            if at <= call.now {
                return Err(call.deviation("token_expiry", "tokenExpiry is not in the future"));
            }
            Some(at)
        }
        Some(_) => return Err(call.deviation("token_expiry", "tokenExpiry is not a string")),
    };
    let asked = asked.filter(|_| !call.state.knobs.ignore_expiry);
    match (asked, latest) {
        (Some(at), Some(latest)) if at > latest => {
            match call.state.knobs.org_max_token_expiry_mode {
                MaxExpiryMode::Clamp => Ok(Some(latest)),
                MaxExpiryMode::Refuse => Err(call.refuse(
                    400,
                    "tokenExpiry is beyond the organization's maximum token expiry",
                )),
            }
        }
        (Some(at), _) => Ok(Some(at)),
        (None, latest) => Ok(latest),
    }
}

/// The roles exist and grant nothing beyond the caller's own rights.
fn granted(call: &mut Call<'_>, caller: &Caller, org: &str, roles: &[String]) -> Result<(), Reply> {
    let records = &call.state.records;
    // In another organization of its enterprise a token has the rights it has in its own.
    let own = match records.ledger.get(&caller.client_id) {
        Some(token) => auth::rights(records, &token.facts, org),
        None => return Err(Reply::unknown_token()),
    };
    for id in roles {
        match records.roles.get(org, id) {
            Some(role) if own.include(role) => {}
            Some(_) => {
                let text = format!("role {id} grants more than the calling token has");
                return Err(call.refuse(403, &text));
            }
            None if call.state.knobs.accept_unknown_roles => {}
            None => return Err(call.refuse(404, &format!("role {id} not found"))),
        }
    }
    Ok(())
}

pub(super) fn delete(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    client_id: Option<&str>,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-token-write")?;
    call.well_formed(endpoint)?;
    let Some(client_id) = client_id else {
        return Err(call.deviation("client_id", "no client id in the path"));
    };
    if !ids::is_client_id(client_id) {
        return Err(call.deviation("client_id", "a client id is 24 letters"));
    }
    let records = &call.state.records;
    let found = records
        .ledger
        .get(client_id)
        .filter(|token| token.deleted_at.is_none())
        .filter(|token| caller.reaches(records, &token.facts.org_id));
    let Some(token) = found else {
        return Err(missing(call, client_id));
    };
    let subject = token.facts.client_id.clone();
    if token.facts.origin != Origin::Api {
        call.state.counters.foreign_deletes += 1;
    }
    call.state.delete(client_id, call.now);
    call.state.counters.deleted += 1;
    let reply = match call.state.knobs.delete_status {
        DeleteReply::NoContent => Reply::empty(204),
        DeleteReply::OkEmpty => Reply::empty(200),
        DeleteReply::OkObject => Reply::json(200, &Map::new()),
    };
    let mut handled = Handled::done(reply);
    handled.subject = Some(subject);
    Ok(handled)
}

fn missing(call: &mut Call<'_>, client_id: &str) -> Reply {
    call.state.counters.deletes_of_unknown += 1;
    let one_case = client_id.bytes().all(|byte| byte.is_ascii_lowercase())
        || client_id.bytes().all(|byte| byte.is_ascii_uppercase());
    let folded = one_case
        && call
            .state
            .records
            .ledger
            .iter()
            .any(|token| token.facts.client_id.eq_ignore_ascii_case(client_id));
    if folded {
        call.record_violation(
            "client_id",
            "client ids are case-sensitive; this one lost its case",
        );
    }
    match call.state.knobs.delete_missing {
        DeleteMissing::NotFound => {
            Reply::errors(404, 340_004, &format!("client id {client_id} not found"))
        }
        DeleteMissing::BadRequest => Reply::string(400, "client id not found"),
        DeleteMissing::NoContent => Reply::empty(204),
        DeleteMissing::ServerError => Reply::errors(500, 340_000, "internal error"),
    }
}
