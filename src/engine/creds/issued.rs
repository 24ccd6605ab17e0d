//! A credential that is issued: its lease, the answer to its caller, and what the caller should know.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lease::LeaseData;
use super::ttl::EffectiveTtl;
use crate::astra::MintedToken;
use crate::engine::archived_engine::Record;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::events::EngineEvent;
use crate::engine::events::EventPublisher;
use crate::engine::events::Subject;
use crate::engine::lifetime::Lifetime;
use crate::engine::role::Credential;
use crate::engine::role::RoleEntry;
use crate::secret::Secret;
use crate::vault::Lease;

/// By so little two clocks always differ: leases do not keep it.
const NEARLY: time::Duration = time::Duration::seconds(2);

/// A minted token that may be handed out, and what it was minted for.
pub(super) struct Issued<'a> {
    pub(super) name: &'a str,
    pub(super) role: &'a RoleEntry,
    pub(super) connection: &'a Connection,
    pub(super) token: MintedToken,
    /// How long the token lives; `None` where Astra confirmed no expiry.
    pub(super) life: Option<Lifetime>,
    /// The link to the secure connect bundle, where the role wants one.
    pub(super) bundle: Option<Secret>,
}

impl Issued<'_> {
    /// The organization that the token is in.
    fn org_id(&self) -> &str {
        let known = &self.connection.entry.org_id;
        known.as_ref().unwrap_or(&self.token.org_id)
    }

    /// The lease of the token, which the `intent` was taken for; `record` has it end in the archived
    /// engine too.
    pub(super) fn lease(
        &self,
        term: &EffectiveTtl,
        intent: &str,
        record: Option<&Record>,
        now: OffsetDateTime,
    ) -> Result<Lease, Error> {
        let data = LeaseData {
            config: &self.connection.name,
            org_id: self.org_id(),
            client_id: &self.token.client_id,
            intent,
            role: self.name,
            minted_at: Some(now),
            expires_at: self.life.map(|life| life.end(now)),
            astra_expires_at: self.life.and_then(|life| life.end_of_astra(now)),
            minted_by_astra: self.minted_by_astra(now),
        };
        let mut lease = data.lease(term.ttl, term.max_ttl)?;
        if let Some(record) = record {
            let data = record.lease_data(&self.connection.name, self.name, &self.token.client_id);
            lease.internal_data.extend(data);
        }
        Ok(lease)
    }

    /// When the token was minted by Astra's clock, unless that is nearly `now`.
    fn minted_by_astra(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let told = self.token.generated_on;
        let minted = told.or_else(|| self.connection.client.astra_time());
        minted.filter(|minted| (*minted - now).abs() >= NEARLY)
    }

    /// Tells the host's subscribers.
    pub(super) fn publish(&self, events: &EventPublisher) {
        let subject = Subject {
            path: &format!("creds/{}", self.name),
            config: &self.connection.name,
            role: self.name,
            client_id: &self.token.client_id,
        };
        events.publish(EngineEvent::CredsCreate, subject);
    }

    /// Adds what the organization does not do for this credential.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        if self.connection.ignores_description() {
            warnings.push(
                "the organization does not keep descriptions: a token whose answer is lost cannot \
                 be found again"
                    .to_owned(),
            );
            if self.role.max_active > 0 && self.connection.cannot_count_tokens() {
                warnings.push(format!(
                    "max_active of role \"{}\" is not enforced: without descriptions its tokens \
                     cannot be counted",
                    self.name
                ));
            }
        }
        if self.life.is_none() {
            warnings.push(
                "the organization does not keep expiries: only the end of the lease ends this token"
                    .to_owned(),
            );
        }
    }

    /// The answer to the caller.
    pub(super) fn into_data(self) -> Map<String, Value> {
        let expires_at = self.life.and_then(|life| life.expiry.format(&Rfc3339).ok());
        let credential = Credential {
            org_id: self.org_id().to_owned(),
            token: &self.token.token,
            client_id: self.token.client_id,
            client_secret: &self.token.secret,
            expires_at: Some(expires_at.unwrap_or_default()),
            database: self.role.database.as_ref(),
            bundle: self.bundle.as_ref(),
        };
        credential.into_data()
    }
}
