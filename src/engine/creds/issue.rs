//! Issuing a credential: what stands against it comes first, then the mint, then its lease.

use std::sync::Arc;
use std::time::Duration;

use super::error::CredsError;
use super::issued::Issued;
use super::ttl::EffectiveTtl;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::host::Limits;
use crate::engine::lifetime::AskedExpiry;
use crate::engine::lifetime::Lifetime;
use crate::engine::metrics::Counted;
use crate::engine::minting::Mint;
use crate::engine::minting::take_back;
use crate::engine::role::Permit;
use crate::engine::role::PolicyOwner;
use crate::engine::role::RoleEntry;
use crate::engine::role::database::bundle::bundle_url;
use crate::engine::role_path::unresolved;
use crate::framework::format_seconds;
use crate::vault::Request;
use crate::vault::Response;

/// A credential of the role `name`, under a lease, for the caller of `request`; it is counted.
pub(crate) async fn issue(
    engine: &Arc<Engine>,
    request: &Request,
    name: &str,
    requested: Option<Duration>,
    reason: Option<&str>,
) -> Result<Response, Error> {
    let wanted = WantedCredential {
        engine,
        request,
        name,
        requested,
        reason,
        deadline: Deadline::after(engine.deadlines.operation),
    };
    let issued = wanted.issue().await;
    // A name that is no role's is no label either: callers can make up any number of them.
    if let Ok(Some(role)) = engine.roles.find(name).await {
        let metrics = &engine.metrics;
        metrics.count(Counted::Mint, &role.config, name, &issued);
    }
    issued
}

/// What a caller of `creds` asks for.
struct WantedCredential<'a> {
    engine: &'a Arc<Engine>,
    request: &'a Request,
    /// The role.
    name: &'a str,
    /// How long the lease is to last.
    requested: Option<Duration>,
    reason: Option<&'a str>,
    /// For all tries.
    deadline: Deadline,
}

impl WantedCredential<'_> {
    async fn issue(&self) -> Result<Response, Error> {
        failpoint::hit("mint.received");
        let limits = self.engine.host.recent_writer_limits().await?;
        loop {
            let role = self.role().await?;
            let connection = self.engine.configs.require(&role.config).await?;
            let issued = self.try_issue(&role, &connection, &limits).await;
            match issued {
                // On the heap, as a request would be larger for what is rare.
                Err(error) if Box::pin(self.is_outdated(&role, &connection)).await => {
                    tracing::info!(role = self.name, %error, "the role or its config was changed during \
                        a mint; minting again");
                }
                issued => return issued,
            }
        }
    }

    /// Issues a credential of `role`, whose config has `connection`, as both were a moment ago.
    async fn try_issue(
        &self,
        role: &RoleEntry,
        connection: &Arc<Connection>,
        limits: &Limits,
    ) -> Result<Response, Error> {
        let Self { engine, name, .. } = *self;
        failpoint::hit("mint.limits-asked");
        let mut term = EffectiveTtl::new(role, *limits, self.requested);
        let admins = &engine.token_admins;
        admins
            .check(connection, &role.granted, self.deadline)
            .await?;
        let asked = term.expiry(engine.clock.now());
        let mint = self.mint(connection, role, asked);
        let permit = self.acquire(&mint, role, self.deadline).await?;
        // Before the mint, so that a failure leaves no token behind.
        let bundle = match &role.database {
            Some(database) => bundle_url(connection, database, self.deadline).await?,
            None => None,
        };
        // As long as the way back to the archived engine is open, it must be able to end the lease.
        let record = engine.archived.records.open().await;
        let minted = match mint.run(self.deadline).await {
            Ok(minted) => minted,
            Err(error) => return Err(Box::pin(self.explain(error, role, connection)).await),
        };
        if let Some(permit) = permit
            .as_ref()
            .filter(|_| !connection.ignores_description())
        {
            permit.minted(&minted.intent, &minted.token.client_id);
        }
        let undo = take_back(
            Arc::clone(connection),
            minted.completed,
            minted.token.client_id.clone(),
            Deadline::after(engine.deadlines.operation),
        );
        if let Some(life) = minted.life {
            limit(&mut term, life, asked);
        }
        let issued = Issued {
            name,
            role,
            connection,
            token: minted.token,
            life: minted.life,
            bundle,
        };
        let intent = &minted.intent;
        let lease = match issued.lease(&term, intent, record.as_deref(), engine.clock.now()) {
            Ok(lease) => lease,
            Err(error) => {
                undo.await;
                return Err(error);
            }
        };
        issued.publish(&engine.events);
        let mut warnings = term.warnings;
        warnings.extend(minted.warning);
        issued.warn(&mut warnings);
        let response = Response::new(issued.into_data());
        let response = response.with_lease(lease).on_undelivered(undo);
        Ok(response.with_warnings(warnings))
    }

    /// The role, if the caller may have a credential of it.
    async fn role(&self) -> Result<Arc<RoleEntry>, Error> {
        let role = self.engine.roles.find(self.name).await?;
        let role = role.ok_or_else(|| CredsError::UnknownRole(self.name.to_owned()))?;
        if role.require_reason && self.reason.is_none() {
            return Err(CredsError::ReasonMissing {
                role: self.name.to_owned(),
                mount_point: self.request.mount_point.clone(),
            }
            .into());
        }
        Ok(role)
    }

    /// Whether what `role` grants or the root token of `connection` was changed since these were read: a
    /// failure may come of it, as the custom role of a policy that a role no longer has is deleted, and so is
    /// a root token that was replaced.
    async fn is_outdated(&self, role: &RoleEntry, connection: &Connection) -> bool {
        let Self { engine, name, .. } = *self;
        let grants = |role: &RoleEntry| (role.config.clone(), role.granted.role_ids());
        let stored = engine.roles.find(name).await;
        let Ok(Some(stored)) = stored else {
            return false;
        };
        let config = engine.configs.find(&role.config).await;
        let has_other_token = config.is_ok_and(|config| {
            config.is_some_and(|config| config.entry.token != connection.entry.token)
        });
        has_other_token || grants(&stored) != grants(role)
    }

    /// The failure `error` of a mint, with its reason.  The role may have been deleted meanwhile, and its
    /// custom role with it.
    async fn explain(&self, error: Error, role: &RoleEntry, connection: &Connection) -> Error {
        let Self { engine, name, .. } = *self;
        match engine.roles.find(name).await {
            Ok(None) => CredsError::UnknownRole(name.to_owned()).into(),
            _ if self.is_outdated(role, connection).await => error,
            _ => {
                let (owner, granted) = (PolicyOwner::Role(name), &role.granted);
                unresolved::explain(error, engine, owner, granted, connection).await
            }
        }
    }

    fn mint<'m>(
        &'m self,
        connection: &'m Arc<Connection>,
        role: &'m RoleEntry,
        asked: AskedExpiry,
    ) -> Mint<'m> {
        Mint {
            connection,
            role: self.name,
            role_ids: role.granted.role_ids(),
            expiry: Some(asked),
            request_id: &self.request.id,
            display_name: &self.request.display_name,
            reason: self.reason,
            text: &role.description,
        }
    }

    /// The permit to mint one more token, where the role limits how many are live at once.
    async fn acquire(
        &self,
        mint: &Mint<'_>,
        role: &RoleEntry,
        deadline: Deadline,
    ) -> Result<Option<Permit>, Error> {
        if role.max_active == 0 || mint.connection.health.certainly_ignores_description() {
            return Ok(None);
        }
        // A token of this request's own first try must not count.
        mint.undo_first_try(deadline).await?;
        let mount_point = &self.request.mount_point;
        let limits = &self.engine.active;
        let permit = limits.acquire(
            mint.connection,
            self.name,
            role.max_active,
            mount_point,
            deadline,
        );
        permit.await.map(Some)
    }
}

/// Shortens the term of a lease so that it ends before its token, and says why.
fn limit(term: &mut EffectiveTtl, life: Lifetime, asked: AskedExpiry) {
    let cause = match life.is_as_asked(asked) {
        true => "as this node's clock is behind Astra's",
        false => "the maximum token expiry of the organization",
    };
    term.end_before(life.left(), cause);
    if let Some(excess) = life.excess(asked) {
        term.warnings.push(format!(
            "this node's clock is ahead of Astra's: should the host never come back, the token \
             lives {} longer than it may",
            format_seconds(i64::try_from(excess.as_secs()).unwrap_or(i64::MAX))
        ));
    }
}
