//! The lease on a token: what it carries, and its end.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::config;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::rotation::time_text;
use crate::framework::Call;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Lease;
use crate::vault::LeaseInfo;

/// The word by which the host's lease finds its way back here.
pub const SECRET_TYPE: &str = "astra_token";

/// All that renew and revoke need; kept by the host with the lease, never shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeaseData {
    /// The config that minted the token.
    #[serde(default = "default_config")]
    pub config: String,
    /// The organization the token is in.
    #[serde(default)]
    pub org_id: String,
    /// The token's client id.
    pub client_id: String,
    /// The intent, as `block.index`.
    #[serde(default)]
    pub intent: String,
    /// The role, to find the ttl of a renewal.
    #[serde(default)]
    pub role: String,
    /// When Astra ends the token by itself; `None` where it does not.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

fn default_config() -> String {
    config::DEFAULT.to_owned()
}

impl LeaseData {
    /// A lease of `ttl` and `max_ttl` that carries this.
    pub fn lease(&self, ttl: Duration, max_ttl: Duration) -> Result<Lease, Error> {
        let internal_data = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => {
                return Err(Error::Internal(
                    "the lease's data does not encode".to_owned(),
                ));
            }
        };
        Ok(crate::framework::lease(
            SECRET_TYPE,
            ttl,
            max_ttl,
            true,
            internal_data,
        ))
    }

    /// What the host's lease carries, and that lease.
    pub fn of(call: Call) -> Result<(Self, LeaseInfo), Error> {
        let lease = call
            .request
            .lease
            .ok_or_else(|| Error::Internal("request has no secret".to_owned()))?;
        // The cause could quote internal data; the shape is all that matters.
        let data = Self::deserialize(&lease.internal_data).map_err(|_| {
            Error::Internal("the lease's internal data is not what this engine wrote".to_owned())
        })?;
        Ok((data, lease))
    }
}

/// Ends a lease: deletes its token.
pub(super) async fn revoke(engine: Arc<Engine>, call: Call) -> HandlerResult {
    failpoint::hit("revoke.received");
    let (data, _) = LeaseData::of(call)?;
    engine.host.recent_writer_limits().await?;
    if data
        .expires_at
        .is_some_and(|expiry| expiry < OffsetDateTime::now_utc())
    {
        // Astra ended it; there is nothing left to delete, whatever became of the config.
        return Ok(None);
    }
    let connection = engine.configs.find(&data.config).await?.ok_or_else(|| {
        Error::Internal(format!(
            "config \"{}\" is gone, so the token with client id {} cannot be deleted: write the config again, or delete the \
             token in Astra and then force the revocation{}",
            data.config, data.client_id, data.ends_by_itself()
        ))
    })?;
    if let Some(org_id) = connection
        .entry
        .org_id
        .as_ref()
        .filter(|org_id| **org_id != data.org_id && !data.org_id.is_empty())
    {
        return Err(Error::Internal(format!(
            "the token with client id {} is in organization {}, but config \"{}\" is now for {org_id}: give the config a root \
             token of {}{}",
            data.client_id,
            data.org_id,
            data.config,
            data.org_id,
            data.ends_by_itself()
        )));
    }
    failpoint::hit("revoke.config-found");
    let deadline = Deadline::after(engine.deadlines.operation);
    match connection
        .client
        .delete_token(&data.client_id, deadline)
        .await
    {
        Ok(_) => {
            failpoint::hit("revoke.token-deleted");
            let subject = Subject {
                path: &format!("creds/{}", data.role),
                config: &data.config,
                role: &data.role,
                client_id: &data.client_id,
            };
            engine.events.publish(EngineEvent::CredsRevoke, subject);
            Ok(None)
        }
        Err(error) => Err(astra_error::revoke_error(
            &connection,
            &data.client_id,
            &error,
        )),
    }
}

impl LeaseData {
    fn ends_by_itself(&self) -> String {
        match self.expires_at {
            Some(expiry) => format!("; it ends by itself at {}", time_text(Some(expiry))),
            None => String::new(),
        }
    }
}
