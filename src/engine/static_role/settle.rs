//! The tick's part of keeping the custom Astra roles of static roles in step.

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::role;
use crate::engine::role::PolicyOwner;
use crate::engine::store::Key;
use crate::vault::Error;

/// Settles what a dead process or an outage left between storage and Astra, and deletes custom roles
/// that were given up once no token needs them any more.  Failures are logged.
pub async fn settle(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let pending = engine
        .custom_roles
        .pending(Key::STATIC_CUSTOM_ROLES)
        .await?;
    for (config, name) in pending {
        // Whoever changes the role right now settles it, or leaves the note to the next tick.
        let Some(_changing) = engine.static_roles.try_changing(&name).await else {
            continue;
        };
        let entry = engine.static_roles.find(&name).await?;
        let claim = entry.as_ref().and_then(|entry| entry.claim());
        let is_lent = entry
            .as_ref()
            .is_some_and(|entry| entry.previous_uses_custom_role());
        if claim.is_none() && is_lent {
            continue;
        }
        role::settle_one(
            engine,
            &config,
            PolicyOwner::StaticRole(&name),
            claim,
            deadline,
        )
        .await;
    }
    Ok(())
}
