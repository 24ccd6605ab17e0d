//! The control API: what the library API can do, by HTTP on its own port.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;
use crate::emulator::Emulator;
use crate::emulator::PortalToken;
use crate::emulator::WaitFor;
use crate::endpoints;
use crate::error::Error;
use crate::fault::FaultRule;

mod bodies;

use bodies::Listener;
use bodies::NewOrg;
use bodies::NewRole;
use bodies::NewToken;
use bodies::OrgChange;
use bodies::Reset;
use bodies::Restore;
use bodies::RoleChange;
use bodies::SetClock;
use bodies::Status;
use bodies::Wait;

const BODY_LIMIT: usize = 1 << 20;

/// Answers one request; failures are `{"error": …}`.
pub(crate) async fn answer(
    emulator: Option<Emulator>,
    request: hyper::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let result = match emulator {
        Some(emulator) => dispatch(&emulator, request).await,
        None => Err(Error::Invalid("the emulator is ending".into())),
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error @ Error::Unknown { .. }) => {
            (StatusCode::NOT_FOUND, json!({"error": error.to_string()}))
        }
        Err(error) => (StatusCode::BAD_REQUEST, json!({"error": error.to_string()})),
    };
    let mut response = Response::new(Full::from(format!("{body}\n")));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn dispatch(emulator: &Emulator, request: hyper::Request<Incoming>) -> Result<Value, Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|error| Error::Invalid(format!("the body cannot be read: {error}")))?
        .to_bytes();
    let path = head.uri.path().trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let query = head.uri.query().unwrap_or_default();
    match (head.method.as_str(), segments.as_slice()) {
        ("PUT", ["control", "reset"]) => reset(emulator, parse_or_default(&body)?),
        ("GET", ["control", "state"]) => state(emulator),
        ("GET", ["control", "seeds"]) => to_value(&emulator.seeds()),
        ("GET", ["control", "stats"]) => to_value(&emulator.stats()),
        ("DELETE", ["control", "stats"]) => {
            emulator.reset_concurrency();
            to_value(&emulator.stats())
        }
        ("GET", ["control", "tokens"]) => tokens(emulator, query),
        ("POST", ["control", "tokens"]) => create_token(emulator, parse(&body)?),
        ("POST", ["control", "tokens", id, "revoke"]) => {
            emulator.revoke_token(id)?;
            Ok(json!({"revoked": id}))
        }
        ("POST", ["control", "tokens", id, "expire"]) => {
            emulator.expire_token(id)?;
            Ok(json!({"expired": id}))
        }
        ("GET", ["control", "knobs"]) => to_value(&emulator.knobs()),
        ("PUT", ["control", "knobs"]) => to_value(&emulator.set_knobs(parse(&body)?)?),
        ("POST", ["control", "clock"]) => set_clock(emulator, &parse(&body)?),
        ("GET", ["control", "clock"]) => Ok(json!({"now": clock::rfc3339(emulator.now())})),
        ("GET", ["control", "faults"]) => to_value(&emulator.faults()),
        ("POST", ["control", "faults"]) => {
            let rule: FaultRule = parse(&body)?;
            Ok(json!({"id": emulator.add_fault(rule)?}))
        }
        ("DELETE", ["control", "faults"]) => {
            emulator.clear_faults();
            Ok(json!({}))
        }
        ("DELETE", ["control", "faults", id]) => {
            let removed = id.parse().map(|id| emulator.remove_fault(id));
            match removed {
                Ok(Ok(true)) => Ok(json!({})),
                Ok(Err(error)) => Err(error),
                _ => Err(Error::unknown("fault rule", id)),
            }
        }
        ("GET", ["control", "journal"]) => {
            let since = parameter(query, "since").map_or(Ok(0), str::parse);
            let since = since.map_err(|_| Error::Invalid("since is a sequence number".into()))?;
            to_value(&emulator.journal_since(since))
        }
        ("DELETE", ["control", "journal"]) => {
            emulator.clear_journal();
            Ok(json!({}))
        }
        ("GET", ["control", "violations"]) => to_value(&emulator.violations()),
        ("DELETE", ["control", "violations"]) => {
            emulator.clear_violations();
            Ok(json!({}))
        }
        ("GET", ["control", "invariants"]) => to_value(&emulator.invariants()),
        ("POST", ["control", "roles"]) => {
            let NewRole {
                name,
                policy,
                org_id,
            } = parse(&body)?;
            let role = emulator.create_role(org_id.as_deref(), &name, policy)?;
            Ok(endpoints::role_view(&role))
        }
        ("POST", ["control", "roles", id]) => edit_role(emulator, id, parse(&body)?),
        ("POST", ["control", "orgs"]) => {
            let NewOrg {
                name,
                enterprise_id,
            } = parse(&body)?;
            to_value(&emulator.create_org(&name, enterprise_id.as_deref())?)
        }
        ("POST", ["control", "orgs", id]) => {
            let change: OrgChange = parse(&body)?;
            emulator.edit_org(id, change.devops_acl, change.max_token_expiry_s)?;
            Ok(json!({}))
        }
        ("POST", ["control", "databases", id]) => {
            let Status { status } = parse(&body)?;
            emulator.set_database_status(id, &status)?;
            Ok(json!({}))
        }
        ("POST", ["control", "snapshot"]) => Ok(json!({"id": emulator.snapshot()})),
        ("POST", ["control", "restore"]) => {
            let Restore { id } = parse(&body)?;
            emulator.restore(id)?;
            Ok(json!({}))
        }
        ("POST", ["control", "listeners"]) => {
            let Listener { kind } = parse(&body)?;
            let url = emulator.tls_url(kind)?;
            Ok(json!({"url": url, "ca_pem": emulator.ca_pem()}))
        }
        ("POST", ["control", "wait"]) => wait(emulator, parse(&body)?).await,
        (method, _) => Err(Error::Unknown {
            kind: "control operation",
            id: format!("{method} {path}"),
        }),
    }
}

fn reset(emulator: &Emulator, reset: Reset) -> Result<Value, Error> {
    emulator.reset(reset.seed, reset.profile)?;
    for name in &reset.fixtures.organizations {
        emulator.create_org(name, None)?;
    }
    for number in 0..reset.fixtures.portal_tokens {
        emulator.create_token(PortalToken {
            roles: vec!["API RO User".into()],
            description: format!("fixture {number}"),
            ..PortalToken::default()
        })?;
    }
    to_value(&emulator.seeds())
}

fn state(emulator: &Emulator) -> Result<Value, Error> {
    let secrets = emulator.show_secrets();
    let (orgs, databases, profile) = emulator.with_world(|world| {
        let state = &world.state;
        (state.orgs.clone(), state.databases.clone(), world.profile)
    });
    let mut roles = Vec::new();
    for (index, org) in orgs.iter().enumerate() {
        for role in emulator.roles(Some(&org.id))? {
            // The built-in ones once.
            if index == 0 || role.org_id.is_some() {
                roles.push(to_value(&role)?);
            }
        }
    }
    Ok(json!({
        "profile": profile,
        "now": clock::rfc3339(emulator.now()),
        "url": emulator.url(),
        "organizations": orgs,
        "roles": roles,
        "databases": databases,
        "tokens": emulator.tokens(secrets),
        "knobs": emulator.knobs(),
        "stats": emulator.stats(),
    }))
}

fn tokens(emulator: &Emulator, query: &str) -> Result<Value, Error> {
    let wanted = parameter(query, "state");
    if !matches!(wanted, None | Some("active" | "expired" | "deleted")) {
        return Err(Error::Invalid("state is active, expired or deleted".into()));
    }
    let mut values = Vec::new();
    for token in emulator.tokens(emulator.show_secrets()) {
        let value = to_value(&token)?;
        if wanted.is_none_or(|wanted| value.get("state").and_then(Value::as_str) == Some(wanted)) {
            values.push(value);
        }
    }
    Ok(values.into())
}

fn create_token(emulator: &Emulator, new: NewToken) -> Result<Value, Error> {
    let expires_in_s = match &new.expiry {
        None => None,
        Some(text) => {
            let at = OffsetDateTime::parse(text, &Rfc3339)
                .map_err(|_| Error::Invalid("expiry is RFC 3339".into()))?;
            // A past expiry is welcome here: it makes an expired token.
            Some(u64::try_from((at - emulator.now()).whole_seconds()).unwrap_or(0))
        }
    };
    let token = emulator.create_token(PortalToken {
        org_id: new.org_id,
        roles: new.role.into_iter().chain(new.roles).collect(),
        description: new.description,
        expires_in_s,
        enterprise: new.enterprise,
    })?;
    to_value(&token)
}

fn edit_role(emulator: &Emulator, id: &str, change: RoleChange) -> Result<Value, Error> {
    match change {
        RoleChange {
            policy: None,
            delete: true,
        } => {
            emulator.delete_role(id)?;
            Ok(json!({"deleted": id}))
        }
        RoleChange {
            policy: Some(policy),
            delete: false,
        } => Ok(endpoints::role_view(&emulator.edit_role(id, policy)?)),
        _ => Err(Error::Invalid(
            "either a policy or \"delete\": true is needed".into(),
        )),
    }
}

fn set_clock(emulator: &Emulator, clock: &SetClock) -> Result<Value, Error> {
    match clock {
        SetClock::AdvanceS(seconds) => {
            let by = Duration::try_from_secs_f64(*seconds)
                .map_err(|error| Error::Invalid(format!("advance_s: {error}")))?;
            emulator.advance_clock(by);
        }
        SetClock::Set(at) => emulator.set_clock(*at),
    }
    Ok(json!({"now": clock::rfc3339(emulator.now())}))
}

async fn wait(emulator: &Emulator, wait: Wait) -> Result<Value, Error> {
    let wanted: WaitFor = serde_json::from_value(Value::Object(wait.wanted)).map_err(invalid)?;
    let timeout = Duration::from_millis(wait.timeout_ms.min(600_000));
    let reached = emulator.wait(wanted, timeout).await;
    Ok(json!({"reached": reached, "invariants": emulator.invariants()}))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|part| part.split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

fn invalid(error: serde_json::Error) -> Error {
    Error::Invalid(format!("bad body: {error}"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(invalid)
}

fn parse_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Error> {
    if body.is_empty() {
        Ok(T::default())
    } else {
        parse(body)
    }
}

fn to_value(value: &impl serde::Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::Invalid(error.to_string()))
}
