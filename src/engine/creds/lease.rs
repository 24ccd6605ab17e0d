//! The lease on a token: what it carries, and its end.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::error::LeaseError;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::lifetime::MINT_SLACK;
use crate::engine::metrics::Counted;
use crate::engine::time_text::time_text;
use crate::engine::token_age::TokenAge;
use crate::framework;
use crate::vault::Lease;
use crate::vault::LeaseInfo;

/// The word by which the host's lease finds its way back here.
pub(crate) const SECRET_TYPE: &str = "astra_token";

/// All that renew and revoke need; kept by the host with the lease, never shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct LeaseData<'a> {
    /// The config that minted the token.
    #[serde(default = "default_config")]
    pub config: &'a str,
    /// The organization the token is in.
    #[serde(default)]
    pub org_id: &'a str,
    /// The token's client id.
    pub client_id: &'a str,
    /// The intent, as `block.index`.
    #[serde(default)]
    pub intent: &'a str,
    /// The role, to find the ttl of a renewal.
    #[serde(default)]
    pub role: &'a str,
    /// When the token was minted, by this node's clock; `None` in leases of older versions.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub minted_at: Option<OffsetDateTime>,
    /// When Astra ends the token by itself, by this node's clock; `None` where it does not.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// The same by Astra's clock, where the two differ.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub astra_expires_at: Option<OffsetDateTime>,
    /// When the token was minted, by Astra's clock, where that is not nearly the same time.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub minted_by_astra: Option<OffsetDateTime>,
}

/// At least one connection.
type Connections = (Arc<Connection>, Vec<Arc<Connection>>);

fn default_config() -> &'static str {
    connection::DEFAULT
}

impl<'a> LeaseData<'a> {
    /// A lease of `ttl` and `max_ttl` that carries this.
    ///
    /// To the host a ttl of 0 means the mount's default, so that is refused.
    pub(super) fn lease(&self, ttl: Duration, max_ttl: Duration) -> Result<Lease, Error> {
        if ttl.is_zero() || max_ttl.is_zero() {
            return Err(LeaseError::OverAtOnce.into());
        }
        let Ok(Value::Object(mut internal_data)) = serde_json::to_value(self) else {
            return Err(LeaseError::NotEncoded.into());
        };
        internal_data.insert(framework::SECRET_TYPE.to_owned(), SECRET_TYPE.into());
        Ok(Lease {
            ttl,
            max_ttl,
            renewable: true,
            internal_data,
        })
    }

    /// What the host's `lease` carries.
    pub(super) fn of(lease: &'a LeaseInfo) -> Result<Self, LeaseError> {
        // The cause could quote internal data; the shape is all that matters.
        Self::deserialize(&lease.internal_data).map_err(|_| LeaseError::Foreign)
    }
}

/// Ends a lease: deletes its token.
pub(crate) async fn revoke(engine: &Engine, lease: &LeaseInfo) -> HandlerResult {
    failpoint::hit("revoke.received");
    let data = LeaseData::of(lease)?;
    let revoked = delete_token(engine, &data).await;
    let metrics = &engine.metrics;
    metrics.count(Counted::Revocation, data.config, data.role, &revoked);
    revoked
}

async fn delete_token(engine: &Engine, data: &LeaseData<'_>) -> HandlerResult {
    engine.host.recent_writer_limits().await?;
    let now = engine.clock.now();
    let deadline = Deadline::after(engine.deadlines.operation);
    // Where nothing can be deleted any more, there is nothing left to delete if Astra has ended it.
    let is_over = data.is_over(now, now) && is_over_by_astra(engine, data, now, deadline).await?;
    let (first, others) = match data.connections(engine).await? {
        Ok(connections) => connections,
        Err(_) if is_over => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    failpoint::hit("revoke.config-found");
    let mut deleted = delete_with(engine, &first, data, is_over, deadline).await;
    for other in &others {
        if deleted.is_ok() {
            break;
        }
        deleted = delete_with(engine, other, data, is_over, deadline).await;
    }
    match deleted {
        Ok(()) => {
            let subject = Subject {
                path: &format!("creds/{}", data.role),
                config: data.config,
                role: data.role,
                client_id: data.client_id,
            };
            engine.events.publish(EngineEvent::CredsRevoke, subject);
            Ok(None)
        }
        Err(error) if is_over => {
            tracing::warn!(client_id = data.client_id, %error, "a token that has expired cannot be \
                deleted");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Deletes the token with the root token of `connection`; where it `is_over`, any answer but an error will do.
async fn delete_with(
    engine: &Engine,
    connection: &Connection,
    data: &LeaseData<'_>,
    is_over: bool,
    deadline: Deadline,
) -> Result<(), Error> {
    let window = engine.deadlines.visible_after();
    let by_astra = data.minted_by_astra();
    let age = TokenAge::now(&engine.clock, window, data.minted_at, by_astra);
    let client = &connection.client;
    let deleted = client.delete_token(data.client_id, deadline).await;
    let is_young = age.is_young(client);
    let deletion =
        deleted.map_err(|error| astra_error::revoke_error(connection, data.client_id, &error))?;
    if !is_over {
        let is_visible = !is_young || engine.recent_deletions.contains(data.client_id);
        data.check_deleted(deletion, is_visible)?;
    }
    failpoint::hit("revoke.token-deleted");
    if is_young {
        engine.recent_deletions.record(data.client_id);
    }
    Ok(())
}

/// Whether Astra has ended a token by itself for certain that is over by this node's clock, which somebody
/// may have set meanwhile: whether it is over by Astra's too.  Without a config no one tells what time it is
/// for Astra.
async fn is_over_by_astra(
    engine: &Engine,
    data: &LeaseData<'_>,
    now: OffsetDateTime,
    deadline: Deadline,
) -> Result<bool, Error> {
    let Some(connection) = engine.configs.find(data.config).await? else {
        return Ok(true);
    };
    let client = &connection.client;
    if client.astra_time().is_none() {
        // Any answer tells the time, also a refusal.
        let _ = client.current_org(deadline).await;
    }
    let by_astra = client.astra_time();
    Ok(by_astra.is_some_and(|by_astra| data.is_over(now, by_astra)))
}

impl LeaseData<'_> {
    /// Whether the token has ended by itself at `now` by this node's clock, and `by_astra` by Astra's.
    fn is_over(&self, now: OffsetDateTime, by_astra: OffsetDateTime) -> bool {
        let has_ended = |end: Option<OffsetDateTime>, now| {
            end.is_some_and(|end: OffsetDateTime| end + MINT_SLACK < now)
        };
        let astra_end = self.astra_expires_at.or(self.expires_at);
        has_ended(self.expires_at, now) && has_ended(astra_end, by_astra)
    }

    /// When the token was minted by Astra's clock.  Leases of older versions tell only where the two clocks
    /// differed by more than a mint may take.
    fn minted_by_astra(&self) -> Option<OffsetDateTime> {
        let ends = self.astra_expires_at.zip(self.expires_at);
        let differ = ends.map(|(by_astra, here)| by_astra - here);
        let minted = self.minted_at?.checked_add(differ.unwrap_or_default());
        self.minted_by_astra.or(minted)
    }

    /// The connections that can delete the token, or why there is none: its config's own, or those of other
    /// configs for the token's organization where its config is for another by now.
    async fn connections(&self, engine: &Engine) -> Result<Result<Connections, LeaseError>, Error> {
        let Some(connection) = engine.configs.find(self.config).await? else {
            return Ok(Err(LeaseError::ConfigGone {
                ends: self.ends_by_itself(),
                config: self.config.to_owned(),
                client_id: self.client_id.to_owned(),
            }));
        };
        let other = connection.entry.org_id.as_ref();
        let other = other.filter(|other| self.is_elsewhere(other));
        let Some(other) = other else {
            return Ok(Ok((connection, Vec::new())));
        };
        let mut there = engine
            .configs
            .in_organization(self.org_id)
            .await?
            .into_iter();
        Ok(match there.next() {
            Some(first) => Ok((first, there.collect())),
            None => Err(self.in_other_organization(other.clone())),
        })
    }

    /// Whether the token is gone after this `deletion`; where Astra did not know the token, that counts
    /// only if Astra must know it by now.
    fn check_deleted(&self, deletion: Deletion, is_visible: bool) -> Result<(), LeaseError> {
        let Deletion::AlreadyAbsent(absence) = deletion else {
            return Ok(());
        };
        // The config may not say which organization it is for; the list that was looked at does.
        match absence.org_id {
            Some(other) if self.is_elsewhere(&other) => Err(self.in_other_organization(other)),
            _ if is_visible => Ok(()),
            // Astra may know it only later: the host tries again.
            _ => Err(LeaseError::PerhapsNotVisible {
                config: self.config.to_owned(),
                client_id: self.client_id.to_owned(),
            }),
        }
    }

    /// Whether the token is known to be in another organization than `org_id`.
    fn is_elsewhere(&self, org_id: &str) -> bool {
        !self.org_id.is_empty() && !is_same_organization(self.org_id, org_id)
    }

    fn in_other_organization(&self, other: String) -> LeaseError {
        LeaseError::OtherOrganization {
            ends: self.ends_by_itself(),
            client_id: self.client_id.to_owned(),
            org_id: self.org_id.to_owned(),
            config: self.config.to_owned(),
            other,
        }
    }

    fn ends_by_itself(&self) -> String {
        match self.expires_at {
            Some(expiry) => format!("; it ends by itself at {}", time_text(Some(expiry))),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const DATA: LeaseData<'static> = LeaseData {
        config: "default",
        org_id: "",
        client_id: "id",
        intent: "",
        role: "reader",
        minted_at: None,
        expires_at: None,
        astra_expires_at: None,
        minted_by_astra: None,
    };

    #[test]
    fn a_token_is_over_when_it_ended_longer_ago_than_a_mint_may_take() {
        let end = datetime!(2026-11-23 12:00 UTC);
        let data = LeaseData {
            expires_at: Some(end),
            ..DATA
        };
        let second = time::Duration::SECOND;
        for (after, is_over) in [
            (-second, false),
            (time::Duration::ZERO, false),
            (second, true),
        ] {
            let now = end + MINT_SLACK + after;
            assert_eq!(data.is_over(now, now), is_over, "{after}");
        }
        assert!(!DATA.is_over(end, end), "it never ends");
    }

    #[test]
    fn no_end_of_a_lease_is_the_mounts_default() {
        let data = DATA;
        let hour = Duration::from_secs(3_600);
        for (ttl, max_ttl) in [(Duration::ZERO, hour), (hour, Duration::ZERO)] {
            let refused = data.lease(ttl, max_ttl);
            assert!(refused.is_err_and(|error| error.to_string().contains("over at once")));
        }
        assert!(data.lease(hour, hour).is_ok());
    }
}
