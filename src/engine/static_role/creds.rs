//! `static-creds/<name>`.

use std::sync::Arc;

use time::OffsetDateTime;

use super::error::StaticRoleError;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::HandlerResult;
use crate::engine::failures::Failures;
use crate::engine::role::Credential;
use crate::engine::role::StaticRoleEntry;
use crate::engine::role::database::bundle::bundle_url;
use crate::engine::schedule::Schedule;
use crate::engine::store::Key;
use crate::engine::time_text::time_text;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const NAME: &str = "name";
/// The `ttl` while a rotation waits for the host's next tick: a client that comes back by then should
/// not come back every second.
const AWAITING_TICK: u64 = 5;

pub(super) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("static-creds/{name}")
            .field(Field::name(NAME, "Name of the static role.").required())
            .on(
                Operation::Read,
                "Read the current token of a static role.",
                read,
            )
            .returns(shown_fields())
            .synopsis("The current token of a static role, without a lease.")
            .help(
                "ttl is the time in seconds until the next rotation is due, or until the next try \
                 while rotation fails; the token itself lives on for the static role's overlap \
                 after that. A static role with a database adds database_id, region, keyspace and \
                 api_endpoint, and on request secure_connect_bundle_url, a download link that is \
                 another at each read and valid for about five minutes: clients that compare what \
                 they read must leave it out, or take last_vault_rotation as the sign of a new \
                 token. Without the link a read asks no one but the host.",
            ),
    ]
}

/// The fields of a static credential.
fn shown_fields() -> Vec<Field> {
    let own = [
        Field::int("ttl", "Seconds until the next rotation is due, never 0.").required(),
        Field::string("last_vault_rotation", "When the token was made.").required(),
        Field::int(
            "rotation_period",
            "Seconds from one rotation to the next, where there is no schedule.",
        ),
        Field::string(
            "rotation_schedule",
            "Times of rotations, where there is no period.",
        ),
    ];
    Credential::declare(false).into_iter().chain(own).collect()
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.captured(NAME);
    let Some(role) = engine.static_roles.find_active(&name).await? else {
        return Ok(None);
    };
    let Some(current) = &role.current else {
        return Ok(None);
    };
    let now = engine.clock.now();
    if current.expires_at.is_some_and(|end| end <= now) {
        let failures = Failures::load(&engine.store, &Key::static_rotation(&name)).await?;
        return Err(StaticRoleError::Ended {
            name,
            ended: time_text(current.expires_at),
            last_error: failures.map_or_else(
                || "no rotation has failed".to_owned(),
                |failures| failures.last_error,
            ),
        }
        .into());
    }
    let retry_at = match role.next_rotation() {
        Some(next) if next > now => None,
        _ => Failures::load(&engine.store, &Key::static_rotation(&name))
            .await?
            .map(|failures| failures.retry_at),
    };
    let bundle = match &role.database {
        Some(database) if database.secure_connect_bundle => {
            // Only a node that may write talks to Astra.
            engine.host.require_writer().await?;
            let connection = engine.configs.require(&role.config).await?;
            let deadline = Deadline::after(engine.deadlines.operation);
            bundle_url(&connection, database, deadline).await?
        }
        _ => None,
    };
    let expires_at = current.expires_at;
    let credential = Credential {
        token: &current.token,
        client_id: current.client_id.clone(),
        client_secret: &current.client_secret,
        org_id: current.org_id.clone(),
        expires_at: expires_at.map(|end| time_text(Some(end))),
        database: role.database.as_ref(),
        bundle: bundle.as_ref(),
    };
    let mut data = credential.into_data();
    data.insert("ttl".into(), ttl(&role, retry_at, now).into());
    match &role.schedule {
        Schedule::Period(seconds) => data.insert("rotation_period".into(), (*seconds).into()),
        Schedule::Cron(cron) => data.insert("rotation_schedule".into(), cron.as_str().into()),
    };
    data.insert("last_vault_rotation".into(), role.last_rotation().into());
    Ok(Some(Response::new(data)))
}

/// Whole seconds until the token is likely to be another one, never 0, which makes clients come back
/// at once.
fn ttl(role: &StaticRoleEntry, retry_at: Option<OffsetDateTime>, now: OffsetDateTime) -> u64 {
    let seconds_to = |time: OffsetDateTime| {
        let left = (time - now).as_seconds_f64().ceil();
        if left >= 1.0 { Some(left as u64) } else { None }
    };
    role.next_rotation()
        .and_then(seconds_to)
        .or_else(|| retry_at.and_then(seconds_to))
        .unwrap_or(AWAITING_TICK)
}
