//! What rotation does on the host's tick.

use futures_util::future::join_all;
use futures_util::future::join3;

use super::root;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::config::pending_deletion;
use crate::engine::error::Error;
use crate::engine::static_role;

/// Rotates what is due and deletes what has been replaced, as far as there is time until `deadline`;
/// the rest waits for the next tick.
pub(crate) async fn tick(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let (deletions, roots, static_roles) = join3(
        pending_deletion::reconcile(engine, deadline),
        reconcile_roots(engine, deadline),
        static_role::reconcile(engine, deadline),
    )
    .await;
    deletions.and(roots).and(static_roles)
}

/// All configs side by side: one organization's trouble must not cost another its turn.
async fn reconcile_roots(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let names = engine.configs.names().await?;
    let roots = names.iter().map(|name| async move {
        if let Err(error) = root::reconcile(engine, name, deadline).await {
            tracing::warn!(config = name, %error, "the root token is not rotated or cleaned up; a \
                later tick tries again");
        }
    });
    join_all(roots).await;
    Ok(())
}
