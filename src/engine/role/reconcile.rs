//! The tick's part of keeping custom Astra roles in step.

use futures_util::future::join_all;

use super::PolicyOwner;
use super::PolicyRole;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::store::Key;

/// Finishes what a dead process or an outage left between storage and Astra, each config side by
/// side with the others.  Failures are logged; one role's failure does not keep the others waiting.
pub async fn reconcile_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let pending = engine.custom_roles.pending(Key::CUSTOM_ROLES).await?;
    let configs = pending.iter().map(|(config, roles)| async move {
        for role in roles {
            if let Err(error) = reconcile_role(engine, config, role, deadline).await {
                tracing::warn!(config, role, %error, "cannot reconcile a custom role; the next tick tries again");
            }
        }
    });
    join_all(configs).await;
    Ok(())
}

async fn reconcile_role(
    engine: &Engine,
    config: &str,
    role: &str,
    deadline: Deadline,
) -> Result<(), Error> {
    // A request that is changing the role finishes it, or leaves the note to the next tick.
    let Some(_changing) = engine.roles.try_lock(role) else {
        return Ok(());
    };
    let entry = match engine.roles.load(role).await? {
        Loaded::Valid(entry) => Some(entry),
        Loaded::Missing => None,
        // What the entry claims is not known.
        Loaded::Corrupt(_) => return Ok(()),
    };
    let claim = entry.as_ref().and_then(|entry| entry.claim_in(config));
    reconcile_one(engine, config, PolicyOwner::Role(role), claim, deadline).await;
    Ok(())
}

/// Finishes what the note about the custom role of `owner` tells of; the caller holds the lock of
/// the role, and `claim` is what storage says.  A failure is logged.
pub async fn reconcile_one(
    engine: &Engine,
    config: &str,
    owner: PolicyOwner<'_>,
    claim: Option<&PolicyRole>,
    deadline: Deadline,
) {
    let reconciled = match engine.configs.find(config).await {
        Ok(Some(connection)) => {
            engine
                .custom_roles
                .reconcile(&connection, owner, claim, deadline)
                .await
        }
        Ok(None) => {
            return tracing::warn!(
                config,
                %owner,
                "a custom role waits to be reconciled, but its config is gone"
            );
        }
        Err(error) => Err(error),
    };
    if let Err(error) = reconciled {
        tracing::warn!(config, %owner, %error, "cannot reconcile a custom role; the next tick tries again");
    }
}
