//! A config as it is stored.

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;

use super::error::ClientError;
use crate::astra::BaseUrl;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::UrlError;
use crate::engine::schedule::Schedule;
use crate::engine::schedule::TICK_REACH;
use crate::engine::schedule::before_end;
use crate::engine::schedule::earlier;
use crate::engine::time_text::time_text;
use crate::secret::Secret;

/// A token that was stored so much later than it is now by the clock was stored by one that was ahead;
/// clocks of nodes may differ by less.
const CLOCKS_DIFFER: Duration = Duration::MINUTE;

/// A named connection to one organization, root token included; stored seal-wrapped.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(crate) struct ConfigEntry {
    /// The root token.
    #[serde(serialize_with = "crate::secret::serialize")]
    pub token: Secret,
    /// The DevOps API without `/v2`.
    pub url: String,
    /// The organization, once known.
    #[serde(default)]
    pub org_id: Option<String>,
    /// Whether writes are verified.
    pub verify: bool,
    /// Extra trusted certificates, PEM.
    #[serde(default)]
    pub ca_cert: Option<String>,
    /// Seconds that one HTTP attempt may take.
    pub request_timeout: u64,
    /// Requests to this organization at once, from this node.
    pub max_concurrent_requests: u32,
    /// Whether roles may grant rights to create tokens or roles.
    #[serde(default)]
    pub allow_token_admin: bool,
    /// When the root token was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub token_set_at: OffsetDateTime,
    /// When Astra ends the root token; `None` where it does not, or that is not known.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub root_expires_at: Option<OffsetDateTime>,
    /// Whether rotation chose that end by the schedule, so that the next token gets another.
    #[serde(default)]
    pub ends_by_schedule: bool,
    /// Ids of the root token's own Astra roles, which a rotation keeps; empty where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root_role_ids: Vec<String>,
    /// Fingerprints of root tokens that rotation replaced, newest last.
    #[serde(default)]
    pub retired: Vec<String>,
    /// Whether rotation minted the root token, so that no one else has it.
    #[serde(default)]
    pub minted: bool,
    /// How long the token that rotation minted was asked to last; `None` for a token of the operator's,
    /// and for one that was minted before this was kept.
    #[serde(default)]
    pub root_life: Option<RootLife>,
    /// Client ids of replaced root tokens that are still to be deleted in Astra.
    #[serde(default)]
    pub pending_delete: Vec<String>,
    /// When the root token is replaced without being asked.
    #[serde(default)]
    pub rotation: Option<Schedule>,
    /// When `rotation` was set.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub rotation_set_at: Option<OffsetDateTime>,
    /// Whether `rotation` is suspended.
    #[serde(default)]
    pub disable_automated_rotation: bool,
}

/// How long root tokens are to last.  What Astra makes of it may be less; the next one is asked for
/// with the same all the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RootLife {
    /// Until they are deleted.
    Unlimited,
    /// So many seconds.
    Seconds(u64),
}

/// A root token that rotation minted.
pub(crate) struct NewRoot {
    /// The token.
    pub token: Secret,
    /// How long it was asked to last.
    pub asked: RootLife,
    /// When Astra ends it.
    pub expires_at: Option<OffsetDateTime>,
}

/// How many replaced root tokens are remembered.
const MAX_RETIRED: usize = 256;
/// Where the DevOps API is unless the config says otherwise.
pub(crate) const DEFAULT_URL: &str = "https://api.astra.datastax.com";
/// Seconds that one HTTP attempt may take unless the config says otherwise.
pub(crate) const DEFAULT_REQUEST_TIMEOUT: u64 = 30;
/// Requests at once unless the config says otherwise.
pub(crate) const DEFAULT_CONCURRENCY: u32 = 32;

impl ConfigEntry {
    /// A config with `token` at `url`, set at `now`, and else the defaults.
    pub(crate) fn new(token: Secret, url: &BaseUrl, now: OffsetDateTime) -> Self {
        Self {
            token,
            url: url.as_str().to_owned(),
            org_id: None,
            verify: true,
            ca_cert: None,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            max_concurrent_requests: DEFAULT_CONCURRENCY,
            allow_token_admin: false,
            token_set_at: now,
            root_expires_at: None,
            root_role_ids: Vec::new(),
            retired: Vec::new(),
            minted: false,
            ends_by_schedule: false,
            root_life: None,
            pending_delete: Vec::new(),
            rotation: None,
            rotation_set_at: Some(now),
            disable_automated_rotation: false,
        }
    }

    /// A client for it.
    pub(crate) fn client(&self) -> Result<Client, ClientError> {
        Ok(Client::new(self.client_config()?)?)
    }

    /// The client's settings.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, UrlError> {
        Ok(ClientConfig {
            base_url: BaseUrl::parse(&self.url)?,
            token: self.token.clone(),
            ca_cert_pem: self.ca_cert.clone(),
            request_timeout: std::time::Duration::from_secs(self.request_timeout),
            max_concurrent_requests: self.max_concurrent_requests as usize,
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            org_id: self.org_id.clone(),
        })
    }

    /// The entry with `new`, which rotation minted at `now`, in place of the present root token.
    pub(crate) fn rotated(&self, new: NewRoot, now: OffsetDateTime) -> Self {
        let mut entry = self.clone();
        entry.retired.push(fingerprint(&self.token));
        if entry.retired.len() > MAX_RETIRED {
            // The first one is the token that an operator wrote, and the one that scripts write
            // again; those after it were never shown to anyone.
            entry.retired.remove(1);
        }
        entry.pending_delete.push(self.token_client_id().to_owned());
        entry.token = new.token;
        entry.token_set_at = now;
        entry.root_expires_at = new.expires_at;
        entry.root_life = Some(new.asked);
        entry.minted = true;
        entry
    }

    /// When the root token is due to be replaced: as scheduled, or before Astra ends it.  `None` where
    /// it is not the engine's to replace.
    pub(crate) fn next_rotation(&self) -> Option<OffsetDateTime> {
        // One that rotation minted is known to nothing but the engine.
        let is_ours = self.rotation.is_some() || self.minted;
        let end = self.root_expires_at.filter(|_| is_ours);
        let before_end = end.map(|end| before_end(self.token_set_at, end, Duration::ZERO));
        earlier(self.scheduled_rotation(), before_end).filter(|_| !self.disable_automated_rotation)
    }

    /// Whether the root token is to be replaced at `now`: its time has come, or the clock tells nothing of it.
    pub(crate) fn is_due(&self, now: OffsetDateTime) -> bool {
        let next = self.next_rotation();
        next.is_some_and(|next| next <= now || self.is_from_future(now))
    }

    /// When Astra ends the root token, if it does: perhaps at once, where the clock, which shows `now`,
    /// tells nothing of it.
    pub(crate) fn root_end(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let end = self.root_expires_at;
        end.map(|end| if self.is_from_future(now) { now } else { end })
    }

    /// Whether the clock was ahead when it told when the root token was stored and when it ends, and was
    /// set back since: the token may end any time.
    fn is_from_future(&self, now: OffsetDateTime) -> bool {
        self.token_set_at > now.saturating_add(CLOCKS_DIFFER)
    }

    /// When Astra is to end a root token that is minted at `now`, where a schedule replaces it before.
    pub(crate) fn scheduled_end(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let schedule = self.rotation.as_ref();
        let schedule = schedule.filter(|_| !self.disable_automated_rotation)?;
        Some(schedule.token_end(now, Duration::ZERO))
    }

    fn scheduled_rotation(&self) -> Option<OffsetDateTime> {
        let set_at = self.rotation_set_at.unwrap_or(self.token_set_at);
        self.rotation.as_ref()?.due_at(self.token_set_at, set_at)
    }

    /// What the operator should know of the root token's end.
    pub(crate) fn expiry_warning(&self) -> Option<String> {
        let end = self.root_expires_at?;
        let ends = time_text(Some(end));
        if end - self.token_set_at < TICK_REACH {
            return Some(format!(
                "the root token ends at {ends}, which may be before a tick of the host replaces it, as that takes up to two \
                 minutes: write a token that lasts longer"
            ));
        }
        match (self.next_rotation(), self.scheduled_rotation()) {
            (None, _) => Some(format!(
                "the root token ends at {ends}, and nothing replaces it before: set \
                 rotation_period or rotation_schedule, or write another token in time"
            )),
            (Some(next), Some(scheduled)) if next < scheduled => Some(format!(
                "the root token ends at {ends}, before the rotation that is scheduled for {}, so \
                 it is rotated at {}",
                time_text(Some(scheduled)),
                time_text(Some(next))
            )),
            _ => None,
        }
    }

    /// The client id inside the root token, which is not secret.
    pub(crate) fn token_client_id(&self) -> &str {
        self.token.expose().split(':').nth(1).unwrap_or_default()
    }
}

/// The first 16 hex digits of the SHA-256 of a token: enough to compare, useless to an attacker.
pub(crate) fn fingerprint(token: &Secret) -> String {
    Sha256::digest(token.expose().as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const OLD: &str = r#"{"version":1,"token":"AstraCS:AAAAAAAAAAAAAAAAAAAAAAAA:0","url":"https://api.astra.datastax.com","verify":true,
        "request_timeout":30,"max_concurrent_requests":32,"token_set_at":"2026-11-23T12:00:00Z"}"#;

    fn token(n: usize) -> Secret {
        Secret::new(format!("AstraCS:{n:A>24}:0"))
    }

    #[test]
    fn an_entry_from_before_rotation_loads() {
        let entry: ConfigEntry = serde_json::from_str(OLD).unwrap();
        assert_eq!(entry.next_rotation(), None);
        assert!(!entry.minted && entry.pending_delete.is_empty() && entry.retired.is_empty());
    }

    #[test]
    fn the_first_and_the_newest_replaced_tokens_are_remembered() {
        let mut entry: ConfigEntry = serde_json::from_str(OLD).unwrap();
        let first = fingerprint(&entry.token);
        for n in 0..1000 {
            let before = fingerprint(&entry.token);
            let new = NewRoot {
                token: token(n),
                asked: RootLife::Unlimited,
                expires_at: None,
            };
            entry = entry.rotated(new, datetime!(2026-11-23 12:00 UTC));
            assert!(entry.retired.contains(&first) && entry.retired.contains(&before));
            assert!(entry.retired.len() <= MAX_RETIRED);
            assert_eq!(entry.token_client_id(), format!("{n:A>24}"));
        }
        assert_eq!(entry.pending_delete.len(), 1000);
    }
}
