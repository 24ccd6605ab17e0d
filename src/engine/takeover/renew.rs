//! Extending a lease of the archived engine: nothing is asked of Astra, where its tokens have no end.

use std::sync::Arc;

use super::error::OldLeaseError;
use super::lease::OldLease;
use crate::engine::Engine;
use crate::engine::archived_engine::role_id;
use crate::engine::creds;
use crate::engine::creds::LeaseError;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::role::RoleEntry;
use crate::framework::Call;
use crate::vault::LeaseInfo;

/// Extends a lease of either engine.
///
/// Not an async function: its future would hold the whole call for as long as it runs.
pub(super) fn renew(engine: Arc<Engine>, call: Call) -> impl Future<Output = HandlerResult> {
    let lease = call.request.lease;
    async move {
        let lease = lease.ok_or(LeaseError::Missing)?;
        match OldLease::of(&lease)? {
            Some(old) => Box::pin(renew_old(&engine, &old, lease)).await,
            None => creds::renew(&engine, lease).await,
        }
    }
}

async fn renew_old(engine: &Engine, old: &OldLease, lease: LeaseInfo) -> HandlerResult {
    let limits = engine.host.recent_writer_limits().await?;
    if old.client_id.is_empty() {
        return Err(OldLeaseError::NoToken.into());
    }
    let role = match &old.role {
        Some(name) => role(engine, &old.org_key, name).await?,
        // The lease does not say which role it was.
        None => RoleEntry::default(),
    };
    creds::extend(&role, limits, lease, None, engine.clock.now())
}

/// The role that took the place of an old one, or the old one itself.
async fn role(engine: &Engine, org_key: &str, name: &str) -> Result<RoleEntry, Error> {
    let gone = || LeaseError::RoleGone(name.to_owned());
    let record = engine.archived.records.find().await?;
    let imported = record.and_then(|record| record.roles.get(&role_id(org_key, name)).cloned());
    if let Some(imported) = imported {
        let role = engine.roles.find(&imported).await?.ok_or_else(gone)?;
        return Ok(RoleEntry::clone(&role));
    }
    match engine.archived.entries.role(org_key, name).await? {
        Some(Ok(old)) => {
            let (ttl, max_ttl) = old.seconds();
            Ok(RoleEntry {
                ttl,
                max_ttl,
                ..RoleEntry::default()
            })
        }
        Some(Err(unreadable)) => Err(unreadable.into()),
        None => Err(gone().into()),
    }
}
