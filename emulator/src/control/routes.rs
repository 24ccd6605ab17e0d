//! Which operation of the control API is where.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;
use http::Method;
use http::Uri;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::control::bodies::CutCql;
use crate::control::bodies::JournalQuery;
use crate::control::bodies::NewListener;
use crate::control::bodies::NewOrg;
use crate::control::bodies::NewRole;
use crate::control::bodies::NewToken;
use crate::control::bodies::NewTokens;
use crate::control::bodies::OrgChange;
use crate::control::bodies::Reset;
use crate::control::bodies::Restore;
use crate::control::bodies::RoleChange;
use crate::control::bodies::SetClock;
use crate::control::bodies::Status;
use crate::control::bodies::TokenQuery;
use crate::control::bodies::Wait;
use crate::control::extract::Answer;
use crate::control::extract::Body;
use crate::control::extract::Failure;
use crate::control::extract::OptionalBody;
use crate::control::extract::Parameters;
use crate::control::extract::Running;
use crate::control::handlers;
use crate::control::handlers::to_value;
use crate::emulator::WeakEmulator;
use crate::endpoints;
use crate::error::Error;
use crate::fault::FaultRule;
use crate::listener::Listener;

/// Longest request body, in bytes.
const BODY_LIMIT: usize = 1 << 20;

type Outcome = Result<Answer, Failure>;

/// Serves the control API on `listener` until `stop` is true or its sender is gone.
pub(crate) async fn serve(
    listener: Arc<Listener>,
    mut stop: watch::Receiver<bool>,
    emulator: WeakEmulator,
) {
    let app = router().with_state(emulator);
    let served = axum::serve(ControlListener(listener), app)
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which ends the service as well.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "the control API ended");
    }
}

struct ControlListener(Arc<Listener>);

impl axum::serve::Listener for ControlListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.0.address)
    }
}

fn router() -> Router<WeakEmulator> {
    Router::new()
        .route("/control/reset", put(reset))
        .route("/control/state", get(state))
        .route("/control/seeds", get(seeds))
        .route("/control/stats", get(stats).delete(reset_stats))
        .route("/control/tokens", get(tokens).post(create_token))
        .route("/control/tokens/bulk", post(create_tokens))
        .route("/control/tokens/{id}/revoke", post(revoke_token))
        .route("/control/tokens/{id}/expire", post(expire_token))
        .route("/control/knobs", get(knobs).put(set_knobs))
        .route("/control/clock", get(clock_now).post(set_clock))
        .route(
            "/control/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/control/faults/{id}", axum::routing::delete(remove_fault))
        .route("/control/journal", get(journal).delete(clear_journal))
        .route(
            "/control/violations",
            get(violations).delete(clear_violations),
        )
        .route("/control/invariants", get(invariants))
        .route("/control/roles", post(create_role))
        .route("/control/roles/{id}", post(edit_role))
        .route("/control/orgs", post(create_org))
        .route("/control/orgs/{id}", post(edit_org))
        .route(
            "/control/orgs/{id}/knobs",
            get(org_knobs).put(set_org_knobs),
        )
        .route("/control/databases/{id}", post(set_database_status))
        .route("/control/cql", get(cql_connections))
        .route("/control/cql/cut", post(cut_cql))
        .route("/control/snapshot", post(snapshot))
        .route("/control/restore", post(restore))
        .route("/control/listeners", post(open_listener))
        .route("/control/wait", post(wait))
        .fallback(no_operation)
        .method_not_allowed_fallback(no_operation)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn no_operation(method: Method, uri: Uri) -> Failure {
    let id = format!("{method} {}", uri.path());
    Error::unknown("control operation", &id).into()
}

fn answer(value: &impl serde::Serialize) -> Outcome {
    Ok(Answer(to_value(value)?))
}

async fn reset(Running(emulator): Running, OptionalBody(wanted): OptionalBody<Reset>) -> Outcome {
    Ok(Answer(handlers::reset(&emulator, wanted)?))
}

async fn state(Running(emulator): Running) -> Outcome {
    Ok(Answer(handlers::state(&emulator)?))
}

async fn seeds(Running(emulator): Running) -> Outcome {
    answer(&emulator.seeds())
}

async fn stats(Running(emulator): Running) -> Outcome {
    answer(&emulator.stats())
}

async fn reset_stats(Running(emulator): Running) -> Outcome {
    emulator.reset_concurrency();
    answer(&emulator.stats())
}

async fn tokens(Running(emulator): Running, Parameters(query): Parameters<TokenQuery>) -> Outcome {
    Ok(Answer(handlers::tokens(&emulator, query.state.as_deref())?))
}

async fn create_token(Running(emulator): Running, Body(new): Body<NewToken>) -> Outcome {
    Ok(Answer(handlers::create_token(&emulator, new)?))
}

async fn create_tokens(Running(emulator): Running, Body(new): Body<NewTokens>) -> Outcome {
    Ok(Answer(handlers::create_tokens(&emulator, new)?))
}

async fn revoke_token(Running(emulator): Running, Path(id): Path<String>) -> Outcome {
    emulator.revoke_token(&id)?;
    Ok(Answer(json!({"revoked": id})))
}

async fn expire_token(Running(emulator): Running, Path(id): Path<String>) -> Outcome {
    emulator.expire_token(&id)?;
    Ok(Answer(json!({"expired": id})))
}

async fn knobs(Running(emulator): Running) -> Outcome {
    answer(&emulator.knobs())
}

async fn set_knobs(Running(emulator): Running, Body(changes): Body<Value>) -> Outcome {
    answer(&emulator.set_knobs(changes)?)
}

async fn org_knobs(Running(emulator): Running, Path(id): Path<String>) -> Outcome {
    answer(&emulator.org_knobs(&id)?)
}

async fn set_org_knobs(
    Running(emulator): Running,
    Path(id): Path<String>,
    Body(own): Body<Value>,
) -> Outcome {
    answer(&emulator.set_org_knobs(&id, own)?)
}

async fn clock_now(Running(emulator): Running) -> Outcome {
    Ok(Answer(handlers::clock_view(&emulator)))
}

async fn set_clock(Running(emulator): Running, Body(wanted): Body<SetClock>) -> Outcome {
    Ok(Answer(handlers::set_clock(&emulator, &wanted)?))
}

async fn faults(Running(emulator): Running) -> Outcome {
    answer(&emulator.faults())
}

async fn add_fault(Running(emulator): Running, Body(rule): Body<FaultRule>) -> Outcome {
    Ok(Answer(json!({"id": emulator.add_fault(rule)?})))
}

async fn clear_faults(Running(emulator): Running) -> Outcome {
    emulator.clear_faults();
    Ok(Answer(json!({})))
}

async fn remove_fault(Running(emulator): Running, Path(id): Path<String>) -> Outcome {
    let number = id.parse().map_err(|_| Error::unknown("fault rule", &id))?;
    match emulator.remove_fault(number)? {
        true => Ok(Answer(json!({}))),
        false => Err(Error::unknown("fault rule", &id).into()),
    }
}

async fn journal(
    Running(emulator): Running,
    Parameters(query): Parameters<JournalQuery>,
) -> Outcome {
    answer(&emulator.journal_since(query.since))
}

async fn clear_journal(Running(emulator): Running) -> Outcome {
    emulator.clear_journal();
    Ok(Answer(json!({})))
}

async fn violations(Running(emulator): Running) -> Outcome {
    answer(&emulator.violations())
}

async fn clear_violations(Running(emulator): Running) -> Outcome {
    emulator.clear_violations();
    Ok(Answer(json!({})))
}

async fn invariants(Running(emulator): Running) -> Outcome {
    answer(&emulator.invariants())
}

async fn create_role(Running(emulator): Running, Body(new): Body<NewRole>) -> Outcome {
    let role = emulator.create_role(new.org_id.as_deref(), &new.name, new.policy)?;
    Ok(Answer(endpoints::role_view(&role)))
}

async fn edit_role(
    Running(emulator): Running,
    Path(id): Path<String>,
    Body(change): Body<RoleChange>,
) -> Outcome {
    Ok(Answer(handlers::edit_role(&emulator, &id, change)?))
}

async fn create_org(Running(emulator): Running, Body(new): Body<NewOrg>) -> Outcome {
    answer(&emulator.create_org(&new.name, new.enterprise_id.as_deref())?)
}

async fn edit_org(
    Running(emulator): Running,
    Path(id): Path<String>,
    Body(change): Body<OrgChange>,
) -> Outcome {
    emulator.edit_org(&id, change.devops_acl, change.max_token_expiry_s)?;
    Ok(Answer(json!({})))
}

async fn set_database_status(
    Running(emulator): Running,
    Path(id): Path<String>,
    Body(Status { status }): Body<Status>,
) -> Outcome {
    emulator.set_database_status(&id, &status)?;
    Ok(Answer(json!({})))
}

async fn cql_connections(Running(emulator): Running) -> Outcome {
    answer(&emulator.cql_connections())
}

async fn cut_cql(
    Running(emulator): Running,
    OptionalBody(CutCql { database }): OptionalBody<CutCql>,
) -> Outcome {
    Ok(Answer(
        json!({"cut": emulator.cut_cql(database.as_deref())}),
    ))
}

async fn snapshot(Running(emulator): Running) -> Outcome {
    Ok(Answer(json!({"id": emulator.snapshot()})))
}

async fn restore(Running(emulator): Running, Body(Restore { id }): Body<Restore>) -> Outcome {
    emulator.restore(id)?;
    Ok(Answer(json!({})))
}

async fn open_listener(
    Running(emulator): Running,
    Body(NewListener { kind }): Body<NewListener>,
) -> Outcome {
    let url = emulator.tls_url(kind)?;
    Ok(Answer(json!({"url": url, "ca_pem": emulator.ca_pem()})))
}

async fn wait(Running(emulator): Running, Body(wanted): Body<Wait>) -> Outcome {
    Ok(Answer(handlers::wait(&emulator, wanted).await?))
}
