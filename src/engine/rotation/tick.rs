//! What rotation does on the host's tick.

use super::root;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::config::pending_deletion;
use crate::engine::static_role;
use crate::vault::Error;

/// Rotates what is due and deletes what has been replaced, as far as there is time until `deadline`;
/// the rest waits for the next tick.
pub async fn tick(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let (roots, static_roles) = futures_util::future::join(
        tend_roots(engine, deadline),
        static_role::tend(engine, deadline),
    )
    .await;
    roots.and(static_roles)
}

async fn tend_roots(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let deletions = pending_deletion::reconcile(engine, deadline).await;
    for name in engine.configs.names().await? {
        if deadline.remaining() < engine.deadlines.min_for_rotation() {
            break;
        }
        if let Err(error) = root::tend(engine, &name, deadline).await {
            tracing::warn!(config = name, %error, "the root token is not tended; a later tick tries again");
        }
    }
    deletions
}
