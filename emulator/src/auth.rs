//! Authentication: the caller of a request.

use std::sync::Arc;

use http::header;
use time::OffsetDateTime;

use crate::ids;
use crate::knobs::ExpiredReply;
use crate::policy::Rights;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::records::Records;
use crate::state::service_state::ServiceState;
use crate::state::token::Facts;
use crate::state::token::Token;

/// The text as observed in production, with its unexpanded format verbs.
const MALFORMED: &str = "Resource, token, was malformed. Error: auth-manager returned 400 for call \
    %s/v2/admin/tokens?%s";

/// An authenticated caller.
pub(crate) struct Caller {
    pub(crate) client_id: Arc<str>,
    pub(crate) org: String,
    /// The enterprise, if the token is valid for all of it.
    pub(crate) enterprise: Option<String>,
    pub(crate) rights: Rights,
}

impl Caller {
    /// Whether `org` is the caller's, directly or through its enterprise.
    pub(crate) fn reaches(&self, records: &Records, org: &str) -> bool {
        org == self.org
            || self.enterprise.is_some()
                && records
                    .org(org)
                    .is_some_and(|org| org.enterprise_id == self.enterprise)
    }
}

/// The roles of a token that still exist, as seen in `org`.
pub(crate) fn rights(records: &Records, facts: &Facts, org: &str) -> Rights {
    Rights {
        org: org.to_owned(),
        roles: facts
            .roles
            .iter()
            .filter_map(|id| records.roles.get(&facts.org_id, id))
            .cloned()
            .collect(),
    }
}

/// Why a caller is refused; the second member is the violation, if it is one.
pub(crate) type Refusal = (Reply, Option<&'static str>);

/// Checks the bearer token.
pub(crate) fn authenticate(
    state: &ServiceState,
    request: &Request,
    now: OffsetDateTime,
) -> Result<Caller, Refusal> {
    let header = request.headers.get(header::AUTHORIZATION);
    let Some(value) = header.and_then(|value| value.to_str().ok()) else {
        let reply = Reply::errors(401, 340_002, "no bearer token in request");
        return Err((reply, Some("no Authorization header")));
    };
    let Some(bearer) = value.strip_prefix("Bearer").filter(|rest| {
        // `Bearer` alone is an empty token: header values lose trailing space on the way.
        rest.is_empty() || rest.starts_with(' ')
    }) else {
        let reply = Reply::errors(401, 340_002, "no bearer token in request");
        return Err((reply, Some("the scheme is not Bearer")));
    };
    let bearer = bearer.trim();
    if bearer.is_empty() {
        let reply = Reply::errors(401, 340_012, "invalid token format");
        return Err((reply, Some("empty bearer token")));
    }
    let Some((client_id, hash)) = ids::parse_token(bearer) else {
        let reply = Reply::errors(401, 340_016, MALFORMED);
        return Err((reply, Some("the bearer is not an application token")));
    };
    let token = known(state, client_id, hash, now).ok_or_else(|| (Reply::unknown_token(), None))?;
    if token.expired(now) {
        let reply = match state.knobs.of(Some(&token.facts.org_id)).expired_reply {
            ExpiredReply::Unknown => Reply::unknown_token(),
            ExpiredReply::Malformed => Reply::errors(401, 340_016, MALFORMED),
            ExpiredReply::Forbidden => Reply::string(403, "token expired"),
        };
        return Err((reply, None));
    }
    let facts = &token.facts;
    Ok(Caller {
        client_id: facts.client_id.clone(),
        org: facts.org_id.to_string(),
        enterprise: state
            .records
            .org(&facts.org_id)
            .filter(|_| facts.enterprise)
            .and_then(|org| org.enterprise_id.clone()),
        rights: rights(&state.records, facts, &facts.org_id),
    })
}

/// The token of that id and hash that authentication sees now, expired or not.
pub(crate) fn known<'a>(
    state: &'a ServiceState,
    client_id: &str,
    hash: &str,
    now: OffsetDateTime,
) -> Option<&'a Token> {
    state.records.ledger.get(client_id).filter(|token| {
        token.facts.hash == hash
            && token.auth_from <= now
            && token
                .deleted
                .is_none_or(|deletion| deletion.auth_until > now)
    })
}
