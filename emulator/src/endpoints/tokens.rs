//! Listing and deleting tokens: `/v2/clientIdSecrets` and `/v2/tokens`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Map;
use time::OffsetDateTime;

use crate::auth::Caller;
use crate::clock;
use crate::endpoints::call::Call;
use crate::ids;
use crate::knobs::DeleteMissing;
use crate::knobs::DeleteReply;
use crate::knobs::GeneratedOnEcho;
use crate::knobs::ListFields;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::token::Facts;
use crate::state::token::Origin;

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
    let knobs = call.knobs();
    let (fields, expired) = (knobs.list_fields, knobs.list_expired);
    let generated_on = knobs.generated_on_echo;
    let stale = Duration::from_millis(knobs.list_stale_ms);
    let (now, seen) = (call.now, clock::earlier(call.now, stale));
    let own_only = &knobs.list_own_only_to;
    let own_only = own_only.iter().any(|id| **id == *caller.client_id);
    let records = &call.state.records;
    let tokens: Vec<(Arc<Facts>, Option<OffsetDateTime>)> = records
        .ledger
        .iter()
        .filter(|token| {
            token.list_from <= seen
                && token
                    .deleted
                    .is_none_or(|deletion| deletion.list_until > now)
                && (expired || !token.expired(now))
                && caller.reaches(records, &token.facts.org_id)
                && (!own_only || is_own(&token.facts, caller))
        })
        .map(|token| (token.facts.clone(), token.expiry))
        .collect();
    let mut handled = Handled::from(Reply::json(200, &()));
    handled.deferred = Some(Box::new(move || {
        render(&tokens, fields, generated_on).into()
    }));
    Ok(handled)
}

/// Whether it is the caller's own token, or made with it.
fn is_own(token: &Facts, caller: &Caller) -> bool {
    token.client_id == caller.client_id || token.minted_by.as_ref() == Some(&caller.client_id)
}

fn render(
    tokens: &[(Arc<Facts>, Option<OffsetDateTime>)],
    fields: ListFields,
    echo: GeneratedOnEcho,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        clients: Vec<Listed<'a>>,
    }
    let (description, expires) = match fields {
        ListFields::Full | ListFields::EmptyDescription => (true, true),
        ListFields::NoDescription => (false, true),
        ListFields::NoExpiry => (true, false),
        ListFields::Legacy | ListFields::Oas => (false, false),
    };
    let clients = tokens
        .iter()
        .map(|(facts, expiry)| Listed {
            client_id: &facts.client_id,
            roles: &facts.roles,
            generated_on: echo
                .shown(facts.generated_on)
                .filter(|_| fields != ListFields::Oas)
                .map(clock::millis),
            description: description.then_some(match fields {
                ListFields::EmptyDescription => "",
                _ => facts.description.as_str(),
            }),
            token_expiry: expires.then(|| expiry.map(clock::millis)),
        })
        .collect();
    serde_json::to_vec(&List { clients }).unwrap_or_default()
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
    let now = call.now;
    let records = &call.state.records;
    let found = records
        .ledger
        .get(client_id)
        .filter(|token| caller.reaches(records, &token.facts.org_id));
    let Some(token) = found else {
        call.state.counters.deletes_of_unknown += 1;
        return Err(missing(call, client_id));
    };
    let (facts, deleted, is_visible) =
        (token.facts.clone(), token.deleted, token.delete_from <= now);
    let mut handled = Handled::from(deleted_reply(call));
    match deleted {
        None if is_visible => {
            if facts.origin != Origin::Api {
                call.state.counters.foreign_deletes += 1;
            }
            call.state.delete(client_id, now);
            call.state.counters.deleted += 1;
            handled.committed = true;
            handled.subject = Some(facts.client_id.clone());
            Ok(handled)
        }
        // Created a moment ago: this part of the service does not know it yet.
        None => Err(missing(call, client_id)),
        // Deleted a moment ago: this part of the service still knows it.
        Some(deletion) if deletion.delete_until > now => Ok(handled),
        Some(_) => {
            call.state.counters.deletes_of_unknown += 1;
            Err(missing(call, client_id))
        }
    }
}

fn deleted_reply(call: &Call<'_>) -> Reply {
    match call.knobs().delete_status {
        DeleteReply::NoContent => Reply::empty(204),
        DeleteReply::OkEmpty => Reply::empty(200),
        DeleteReply::OkObject => Reply::json(200, &Map::new()),
    }
}

fn missing(call: &mut Call<'_>, client_id: &str) -> Reply {
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
    match call.knobs().delete_missing {
        DeleteMissing::NotFound => {
            Reply::errors(404, 340_004, &format!("client id {client_id} not found"))
        }
        DeleteMissing::BadRequest => Reply::string(400, "client id not found"),
        DeleteMissing::NoContent => Reply::empty(204),
        DeleteMissing::ServerError => Reply::errors(500, 340_000, "internal error"),
    }
}
