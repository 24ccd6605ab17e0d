//! The tick's part of keeping custom Astra roles in step.

use futures_util::future::join;
use futures_util::future::join_all;

use super::repair;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::role::PolicyOwner;
use crate::engine::role::custom_role::Claim;
use crate::engine::role::custom_role::PendingNote;
use crate::engine::role::custom_role::Scope;
use crate::engine::store::Key;

/// Finishes what a dead process or an outage left between storage and Astra, and once an hour compares
/// what storage says with what Astra has, each config side by side with the others.  Failures are
/// logged; one role's failure does not keep the others waiting.
pub(crate) async fn reconcile_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let pending = engine.custom_roles.pending(Key::CUSTOM_ROLES).await?;
    let notes = pending.iter().map(|(config, notes)| async move {
        for note in notes {
            if let Err(error) = reconcile_role(engine, config, note, deadline).await {
                let role = &note.name;
                tracing::warn!(config, role, %error, "cannot reconcile a custom role; the next \
                    tick tries again");
            }
        }
    });
    // Side by side: an organization that does not answer to the one must not keep others from the other.
    let (_, repaired) = join(join_all(notes), repair::repair_all(engine, deadline)).await;
    repaired
}

async fn reconcile_role(
    engine: &Engine,
    config: &str,
    note: &PendingNote,
    deadline: Deadline,
) -> Result<(), Error> {
    let role = &note.name;
    // A request that is changing the role finishes it, or leaves the note to the next tick.
    let Some(_changing) = engine.roles.try_lock(role) else {
        return Ok(());
    };
    let entry = match engine.roles.load(role).await? {
        Loaded::Valid(entry) => Some(entry),
        Loaded::Missing => None,
        // What the entry says is not known.
        Loaded::Corrupt(_) => return Ok(()),
    };
    let custom = entry
        .as_ref()
        .and_then(|entry| entry.claim_in(config, &note.org_id));
    let claim = Claim {
        custom,
        overlapping: &[],
    };
    let owner = PolicyOwner::Role(role);
    reconcile_one(engine, config, &note.org_id, owner, claim, deadline).await;
    Ok(())
}

/// Finishes what the note about the custom roles of `owner` in the organization `org_id` tells of; the
/// caller holds the lock of the role, and `claim` is what storage says.  A failure is logged.
pub(crate) async fn reconcile_one(
    engine: &Engine,
    config: &str,
    org_id: &str,
    owner: PolicyOwner<'_>,
    claim: Claim<'_>,
    deadline: Deadline,
) {
    let reconciled = match engine.configs.find(config).await {
        Ok(Some(connection)) => {
            let scope = Scope {
                connection: &connection,
                org_id,
                owner,
            };
            engine.custom_roles.reconcile(&scope, claim, deadline).await
        }
        Ok(None) => {
            let key = owner.note_key(config, org_id);
            if engine.custom_roles.is_first_out_of_reach(key) {
                tracing::warn!(
                    config,
                    %owner,
                    org_id,
                    "custom roles wait to be brought in step until their config is written again"
                );
            }
            return;
        }
        Err(error) => Err(error),
    };
    if let Err(error) = reconciled {
        tracing::warn!(config, %owner, %error, "cannot reconcile a custom role; the next tick \
            tries again");
    }
}
