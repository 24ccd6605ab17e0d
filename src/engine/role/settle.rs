//! The tick's part of keeping custom Astra roles in step.

use super::custom_role::Settled;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::vault::Error;

/// Settles what a dead process or an outage left between storage and Astra.  Failures are logged;
/// one role's failure does not keep the others waiting.
pub async fn settle(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    for (config, role) in engine.custom_roles.pending().await? {
        // Whoever changes the role right now settles it, or leaves the note to the next tick.
        let Some(_changing) = engine.roles.try_changing(&role) else {
            continue;
        };
        if let Err(error) = settle_one(engine, &config, &role, deadline).await {
            tracing::warn!(config, role, %error, "cannot settle a custom role; the next tick tries again");
        }
    }
    Ok(())
}

async fn settle_one(
    engine: &Engine,
    config: &str,
    role: &str,
    deadline: Deadline,
) -> Result<Settled, Error> {
    let Some(connection) = engine.configs.find(config).await? else {
        tracing::warn!(
            config,
            role,
            "a custom role waits to be settled, but its config is gone"
        );
        return Ok(Settled::Later);
    };
    let entry = engine.roles.find(role).await?;
    let claim = entry.as_ref().and_then(|entry| entry.claim_in(config));
    engine
        .custom_roles
        .settle(&connection, role, claim, deadline)
        .await
}
