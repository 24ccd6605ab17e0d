//! `creds/<name>`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use time::format_description::well_known::Rfc3339;

use super::error::CredsError;
use super::lease::LeaseData;
use super::ttl::EffectiveTtl;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::metrics::Counted;
use crate::engine::minting::AskedExpiry;
use crate::engine::minting::Lifetime;
use crate::engine::minting::Mint;
use crate::engine::minting::Minted;
use crate::engine::minting::take_back;
use crate::engine::role;
use crate::engine::role::credential_fields;
use crate::engine::role::database::bundle as database;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;

const NAME: &str = "name";

/// The paths.
pub fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("creds/{name}")
            .field(Field::name(NAME, "Name of the role.").required())
            .field(Field::duration("ttl", "How long the lease lasts. May only shorten the role's ttl.").query())
            .field(Field::string("reason", "Why the credential is wanted, for instance a ticket. Becomes part of the token's description in Astra, of which 255 bytes are kept: about 120 of them are for the reason.").query())
            .on(Operation::Read, "Mint a token under a lease.", read)
            .refuses_unknown_parameters()
            .returns(credential_fields(true))
            .on(Operation::Update, "Mint a token under a lease.", read)
            .refuses_unknown_parameters()
            .returns(credential_fields(true))
            .synopsis("Mint an Astra application token under a lease.")
            .help(
                "Each read mints a token of its own with the role's Astra roles. When the lease ends the token is deleted in \
                 Astra; should the host never come back, the token expires by itself shortly after the lease's max_ttl. \
                 Renew the lease to keep the token; revoke it when done. A role with a database adds database_id, region, \
                 keyspace and api_endpoint, and on request secure_connect_bundle_url, a download link that is valid for about \
                 five minutes.",
            ),
    ]
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.string(NAME).unwrap_or_default();
    let requested = call.fields.duration("ttl").filter(|ttl| !ttl.is_zero());
    let reason = call
        .fields
        .string("reason")
        .filter(|reason| !reason.trim().is_empty());
    let issued = issue(&engine, &call.request, &name, requested, reason.as_deref()).await?;
    Ok(Some(issued))
}

/// A credential of the role `name`, under a lease, for the caller of `request`; it is counted.
pub async fn issue(
    engine: &Arc<Engine>,
    request: &Request,
    name: &str,
    requested: Option<Duration>,
    reason: Option<&str>,
) -> Result<Response, Error> {
    let issued = issue_uncounted(engine, request, name, requested, reason).await;
    // A name that is no role's is no label either: callers can make up any number of them.
    if let Ok(Some(role)) = engine.roles.find(name).await {
        let metrics = &engine.metrics;
        metrics.count(Counted::Mint, &role.config, name, &issued);
    }
    issued
}

async fn issue_uncounted(
    engine: &Arc<Engine>,
    request: &Request,
    name: &str,
    requested: Option<Duration>,
    reason: Option<&str>,
) -> Result<Response, Error> {
    failpoint::hit("mint.received");
    let limits = engine.host.recent_writer_limits().await?;
    let role = engine
        .roles
        .find(name)
        .await?
        .ok_or_else(|| CredsError::UnknownRole(name.to_owned()))?;
    let mount_point = &request.mount_point;
    if role.require_reason && reason.is_none() {
        return Err(CredsError::ReasonMissing {
            role: name.to_owned(),
            mount_point: mount_point.clone(),
        }
        .into());
    }
    let connection = engine.configs.require(&role.config).await?;
    failpoint::hit("mint.limits-asked");
    let mut term = EffectiveTtl::new(&role, limits, requested);
    let deadline = Deadline::after(engine.deadlines.operation);
    role::check_token_admin(engine, &connection, &role.granted, deadline).await?;
    let now = engine.clock.now();
    let asked = AskedExpiry {
        expiry: term.expiry(now),
        now,
    };
    let mint = Mint {
        connection: &connection,
        role: name,
        role_ids: role.granted.role_ids(),
        expiry: Some(asked),
        request_id: &request.id,
        display_name: &request.display_name,
        reason,
        text: &role.description,
    };
    let limits_active = role.max_active > 0 && !connection.ignores_description();
    let _admission = match limits_active {
        true => {
            // A token of this request's own first try must not count.
            mint.undo_first_try(deadline).await?;
            let admission =
                engine
                    .active
                    .acquire(&connection, name, role.max_active, mount_point, deadline);
            Some(admission.await?)
        }
        false => None,
    };
    // Before the mint, so that a failure leaves no token behind.
    let bundle = match &role.database {
        Some(database) => database::bundle_url(&connection, database, deadline).await?,
        None => None,
    };
    // As long as the way back to the archived engine is open, it must be able to end the lease.
    let record = engine.archived.records.open().await;
    let Minted {
        token,
        intent,
        completed,
        life,
        warning,
    } = match mint.run(deadline).await {
        Ok(minted) => minted,
        Err(error) => {
            let granted = &role.granted;
            return Err(role::unresolved::explain(error, engine, name, granted, &connection).await);
        }
    };
    let undo = take_back(
        Arc::clone(&connection),
        completed,
        token.client_id.clone(),
        Deadline::after(engine.deadlines.operation),
    );

    let now = engine.clock.now();
    if let Some(life) = life {
        limit(&mut term, life, asked);
    }
    let org_id = connection
        .entry
        .org_id
        .clone()
        .unwrap_or_else(|| token.org_id.clone());
    let data = LeaseData {
        config: connection.name.clone(),
        org_id: org_id.clone(),
        client_id: token.client_id.clone(),
        intent,
        role: name.to_owned(),
        minted_at: Some(now),
        expires_at: life.map(|life| life.end(now)),
    };
    let lease = match data.lease(term.ttl, term.max_ttl) {
        Ok(mut lease) => {
            if let Some(record) = record {
                let data = record.lease_data(&connection.name, name, &token.client_id);
                lease.internal_data.extend(data);
            }
            lease
        }
        Err(error) => {
            undo.await;
            return Err(error);
        }
    };
    let subject = Subject {
        path: &format!("creds/{name}"),
        config: &connection.name,
        role: name,
        client_id: &token.client_id,
    };
    engine.events.publish(EngineEvent::CredsCreate, subject);
    let mut answer = Map::new();
    answer.insert("token".into(), token.token.expose().into());
    answer.insert("client_id".into(), token.client_id.into());
    answer.insert("client_secret".into(), token.secret.expose().into());
    answer.insert("org_id".into(), org_id.into());
    let expires_at = life
        .and_then(|life| life.expiry.format(&Rfc3339).ok())
        .unwrap_or_default();
    answer.insert("expires_at".into(), expires_at.into());
    if let Some(database) = &role.database {
        database::add_to(&mut answer, database, bundle.as_ref());
    }

    let mut warnings = std::mem::take(&mut term.warnings);
    warnings.extend(warning);
    if connection.ignores_description() {
        warnings.push("the organization does not keep descriptions: a token whose answer is lost cannot be found again".to_owned());
        if role.max_active > 0 {
            warnings.push(format!(
                "max_active of role \"{name}\" is not enforced: without descriptions its tokens cannot be counted"
            ));
        }
    }
    if life.is_none() {
        warnings.push(
            "the organization does not keep expiries: only the end of the lease ends this token"
                .to_owned(),
        );
    }
    let response = Response::new(answer).with_lease(lease).on_undelivered(undo);
    Ok(response.with_warnings(warnings))
}

/// Shortens the term of a lease so that it ends before its token, and says why.
fn limit(term: &mut EffectiveTtl, life: Lifetime, asked: AskedExpiry) {
    let cause = match life.is_as_asked(asked) {
        true => "as this node's clock is behind Astra's",
        false => "the maximum token expiry of the organization",
    };
    term.end_before(life.left(), cause);
    if let Some(excess) = life.excess(asked) {
        term.warnings.push(format!(
            "this node's clock is ahead of Astra's: should the host never come back, the token lives {} s longer than it may",
            excess.as_secs()
        ));
    }
}
