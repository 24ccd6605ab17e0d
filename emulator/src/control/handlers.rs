//! What each operation of the control API does.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;
use crate::control::bodies::NewToken;
use crate::control::bodies::NewTokens;
use crate::control::bodies::Reset;
use crate::control::bodies::RoleChange;
use crate::control::bodies::SetClock;
use crate::control::bodies::Wait;
use crate::emulator::Emulator;
use crate::emulator::PortalToken;
use crate::emulator::WaitFor;
use crate::endpoints;
use crate::error::Error;

pub(super) fn reset(emulator: &Emulator, reset: Reset) -> Result<Value, Error> {
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

pub(super) fn state(emulator: &Emulator) -> Result<Value, Error> {
    let secrets = emulator.show_secrets();
    let (orgs, databases, profile) = emulator.with_state(|state| {
        let records = &state.records;
        (
            records.orgs.clone(),
            records.databases.clone(),
            state.profile,
        )
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

pub(super) fn tokens(emulator: &Emulator, wanted: Option<&str>) -> Result<Value, Error> {
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

pub(super) fn create_token(emulator: &Emulator, new: NewToken) -> Result<Value, Error> {
    let token = emulator.create_token(portal_token(emulator, new)?)?;
    to_value(&token)
}

pub(super) fn create_tokens(emulator: &Emulator, new: NewTokens) -> Result<Value, Error> {
    let NewTokens { count, token } = new;
    emulator.create_tokens(portal_token(emulator, token)?, count)?;
    Ok(json!({"made": count}))
}

fn portal_token(emulator: &Emulator, new: NewToken) -> Result<PortalToken, Error> {
    let expires_in_s = match &new.expiry {
        None => None,
        Some(text) => {
            let at = OffsetDateTime::parse(text, &Rfc3339)
                .map_err(|_| Error::Invalid("expiry is RFC 3339".into()))?;
            // A past expiry is welcome here: it makes an expired token.
            Some(u64::try_from((at - emulator.now()).whole_seconds()).unwrap_or(0))
        }
    };
    Ok(PortalToken {
        org_id: new.org_id,
        roles: new.role.into_iter().chain(new.roles).collect(),
        description: new.description,
        expires_in_s,
        enterprise: new.enterprise,
    })
}

pub(super) fn edit_role(emulator: &Emulator, id: &str, change: RoleChange) -> Result<Value, Error> {
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

pub(super) fn clock_view(emulator: &Emulator) -> Value {
    json!({"now": clock::rfc3339(emulator.now()), "rate": emulator.clock_rate()})
}

pub(super) fn set_clock(emulator: &Emulator, clock: &SetClock) -> Result<Value, Error> {
    match clock {
        SetClock::AdvanceS(seconds) => {
            let by = Duration::try_from_secs_f64(*seconds)
                .map_err(|error| Error::Invalid(format!("advance_s: {error}")))?;
            emulator.advance_clock(by);
        }
        SetClock::Rate(rate) => emulator.set_clock_rate(*rate)?,
        SetClock::Set(at) => emulator.set_clock(*at),
    }
    Ok(clock_view(emulator))
}

pub(super) async fn wait(emulator: &Emulator, wait: Wait) -> Result<Value, Error> {
    let wanted: WaitFor = serde_json::from_value(Value::Object(wait.wanted))
        .map_err(|error| Error::Invalid(format!("bad body: {error}")))?;
    let timeout = Duration::from_millis(wait.timeout_ms.min(600_000));
    let reached = emulator.wait(wanted, timeout).await;
    Ok(json!({"reached": reached, "invariants": emulator.invariants()}))
}

pub(super) fn to_value(value: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::Invalid(error.to_string()))
}
