//! The tick's part of keeping custom Astra roles in step.

use super::PolicyOwner;
use super::PolicyRole;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::store::Key;
use crate::vault::Error;

/// Settles what a dead process or an outage left between storage and Astra.  Failures are logged;
/// one role's failure does not keep the others waiting.
pub async fn settle(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    for (config, role) in engine.custom_roles.pending(Key::CUSTOM_ROLES).await? {
        // Whoever changes the role right now settles it, or leaves the note to the next tick.
        let Some(_changing) = engine.roles.try_changing(&role) else {
            continue;
        };
        let entry = engine.roles.find(&role).await?;
        let claim = entry.as_ref().and_then(|entry| entry.claim_in(&config));
        settle_one(engine, &config, PolicyOwner::Role(&role), claim, deadline).await;
    }
    Ok(())
}

/// Settles the note about the custom role of `claimant`, whose change the caller holds: `claim` is
/// what storage says.  A failure is logged.
pub async fn settle_one(
    engine: &Engine,
    config: &str,
    claimant: PolicyOwner<'_>,
    claim: Option<&PolicyRole>,
    deadline: Deadline,
) {
    let settled = match engine.configs.find(config).await {
        Ok(Some(connection)) => {
            engine
                .custom_roles
                .settle(&connection, claimant, claim, deadline)
                .await
        }
        Ok(None) => {
            return tracing::warn!(
                config,
                %claimant,
                "a custom role waits to be settled, but its config is gone"
            );
        }
        Err(error) => Err(error),
    };
    if let Err(error) = settled {
        tracing::warn!(config, %claimant, %error, "cannot settle a custom role; the next tick tries again");
    }
}
