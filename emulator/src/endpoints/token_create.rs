//! Creating a token: `POST /v2/clientIdSecrets` and `POST /v2/tokens`.

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
use crate::knobs::ExpiryEcho;
use crate::knobs::MaxExpiryMode;
use crate::knobs::RewriteExpiry;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::service_state::NewToken;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_on: Option<String>,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expiry: Option<String>,
}

pub(super) fn create(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-token-write")?;
    call.well_formed(endpoint)?;
    let body = call.object()?;
    known_fields(call, &body)?;
    let org = organization(call, caller, &body)?;
    let mut roles = role_ids(call, &body)?;
    let description = description(call, &body)?;
    let expiry = expiry(call, &body, &org)?;
    granted(call, caller, &org, &roles)?;
    let knobs = call.knobs();
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
            expiry: expiry.stored,
            minted_by: Some(caller.client_id.clone()),
            origin: Origin::Api,
            enterprise: false,
        },
        call.now,
    );
    let knobs = call.knobs();
    let generated_on = knobs.generated_on_echo.shown(facts.generated_on);
    let created = Created {
        client_id: &facts.client_id,
        secret: &facts.secret,
        org_id: &facts.org_id,
        roles: &facts.roles,
        token: facts.token(),
        generated_on: generated_on.map(clock::rfc3339),
        description: &facts.description,
        token_expiry: expiry.shown.map(clock::rfc3339),
    };
    let mut handled = Handled::done(Reply::json(knobs.create_status, &created));
    handled.subject = Some(facts.client_id.clone());
    handled.minted = true;
    Ok(handled)
}

fn known_fields(call: &mut Call<'_>, body: &Map<String, Value>) -> Result<(), Reply> {
    if !call.state.strict() {
        return Ok(());
    }
    for name in body.keys() {
        match name.as_str() {
            "roles" | "description" | "tokenExpiry" | "orgId" => {}
            other => {
                let text = format!("unknown field {other}");
                return Err(call.deviation("unknown_field", &text));
            }
        }
    }
    Ok(())
}

/// Only one of the published documents has `orgId` for `/v2/clientIdSecrets`; clients send it there,
/// and it means the same as for `/v2/tokens`.
fn organization(
    call: &mut Call<'_>,
    caller: &Caller,
    body: &Map<String, Value>,
) -> Result<String, Reply> {
    match body.get("orgId") {
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
        if !ids::is_uuid(id) && !call.knobs().accept_unknown_roles {
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
    let knobs = call.knobs();
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

/// What the answer shows, and what the token has.
struct Expiry {
    shown: Option<OffsetDateTime>,
    stored: Option<OffsetDateTime>,
}

fn expiry(call: &mut Call<'_>, body: &Map<String, Value>, org: &str) -> Result<Expiry, Reply> {
    let asked = asked_expiry(call, body)?;
    let latest = call
        .state
        .max_token_life(org)
        .map(|life| clock::later(call.now, life));
    let knobs = call.knobs();
    let stored = match (asked.filter(|_| !knobs.ignore_expiry), latest) {
        (Some(at), Some(latest)) if at > latest => match knobs.org_max_token_expiry_mode {
            MaxExpiryMode::Clamp => Some(latest),
            MaxExpiryMode::Refuse => {
                let text = "tokenExpiry is beyond the organization's maximum token expiry";
                return Err(call.refuse(400, text));
            }
        },
        (Some(at), _) => Some(at),
        (None, latest) => latest,
    };
    let stored = match knobs.rewrite_expiry {
        None => stored,
        Some(RewriteExpiry::LifeS(seconds)) => {
            Some(clock::later(call.now, Duration::from_secs(seconds)))
        }
        Some(RewriteExpiry::ShiftS(seconds)) => {
            stored.map(|at| at.saturating_add(time::Duration::seconds(seconds)))
        }
    };
    let shown = match knobs.expiry_echo {
        ExpiryEcho::Stored => stored,
        ExpiryEcho::Asked => asked,
        ExpiryEcho::Absent => None,
    };
    Ok(Expiry { shown, stored })
}

fn asked_expiry(
    call: &mut Call<'_>,
    body: &Map<String, Value>,
) -> Result<Option<OffsetDateTime>, Reply> {
    let text = match body.get("tokenExpiry") {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(call.deviation("token_expiry", "tokenExpiry is not a string")),
    };
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
    let Some(at) = parsed.filter(|_| text.ends_with('Z') || !call.state.strict()) else {
        return Err(call.deviation("token_expiry", "tokenExpiry is not RFC 3339 in UTC (Z)"));
    };
    if at <= call.now {
        return Err(call.deviation("token_expiry", "tokenExpiry is not in the future"));
    }
    Ok(Some(at))
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
            None if call.knobs().accept_unknown_roles => {}
            None => return Err(call.refuse(404, &format!("role {id} not found"))),
        }
    }
    Ok(())
}
