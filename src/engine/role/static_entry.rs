//! A static role as it is stored: what it is, and its tokens.

use serde::Deserialize;
use serde::Serialize;
use time::Duration;
use time::OffsetDateTime;

use super::DatabaseChoice;
use super::Granted;
use super::PolicyRole;
use super::PreviousToken;
use crate::engine::schedule::Schedule;
use crate::engine::schedule::before_end;
use crate::engine::schedule::earlier;
use crate::engine::time_text::time_text;
use crate::framework::format_seconds;
use crate::secret::Secret;

/// How long the previous token lives on unless the role says otherwise, in seconds.
const DEFAULT_OVERLAP: u64 = 3600;
/// How many replaced tokens live on at once: rotating by hand again and again must not pile them up.
pub(crate) const MAX_PREVIOUS: usize = 8;

/// A static role.  Token and timestamps are in one entry with it, so that no reader ever sees the one
/// without the other; stored seal-wrapped.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(crate) struct StaticRoleEntry {
    /// The config whose organization has the tokens; constant.
    pub config: String,
    /// What the token may do.
    #[serde(flatten)]
    pub granted: Granted,
    /// When the token is replaced.
    pub schedule: Schedule,
    /// When `schedule` was set.
    #[serde(with = "time::serde::rfc3339")]
    pub schedule_set_at: OffsetDateTime,
    /// Seconds that a replaced token lives on, if the role says.
    #[serde(default)]
    pub overlap: Option<u64>,
    /// Free text for the token's description in Astra.
    #[serde(default)]
    pub description: String,
    /// The database that applications connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseChoice>,
    /// The token.  `None` when the role was deleted and only its tokens are left to be deleted.
    #[serde(default)]
    pub current: Option<CurrentToken>,
    /// Replaced tokens that still live, oldest first.
    #[serde(default)]
    pub previous: Vec<PreviousToken>,
}

/// The token that readers get.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(crate) struct CurrentToken {
    /// The application token.
    #[serde(serialize_with = "crate::secret::serialize")]
    pub token: Secret,
    /// Its client secret.
    #[serde(serialize_with = "crate::secret::serialize")]
    pub client_secret: Secret,
    /// Its client id.
    pub client_id: String,
    /// The organization it belongs to.
    pub org_id: String,
    /// The ids of the Astra roles it was minted with.
    pub role_ids: Vec<String>,
    /// Whether one of them is the custom Astra role of a policy.
    #[serde(default)]
    pub by_policy: bool,
    /// When Astra ends it; `None` where it does not.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it became the current one, in whole seconds.
    #[serde(with = "time::serde::rfc3339")]
    pub rotated_at: OffsetDateTime,
    /// When it was minted by Astra's clock; `None` where Astra did not tell, and in entries of older versions.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub minted_by_astra: Option<OffsetDateTime>,
}

impl StaticRoleEntry {
    /// A static role with `schedule`, set at `now`, and nothing else yet.
    pub(crate) fn new(schedule: Schedule, now: OffsetDateTime) -> Self {
        Self {
            config: String::new(),
            granted: Granted::default(),
            schedule,
            schedule_set_at: now,
            overlap: None,
            description: String::new(),
            database: None,
            current: None,
            previous: Vec::new(),
        }
    }

    /// Whether the role exists, as opposed to tokens that its deletion left.
    pub(crate) fn is_live(&self) -> bool {
        self.current.is_some()
    }

    /// The client ids of all its tokens.
    pub(crate) fn client_ids(&self) -> impl Iterator<Item = &str> {
        let current = self.current.iter().map(|token| token.client_id.as_str());
        let previous = self.previous.iter().map(|token| token.client_id.as_str());
        current.chain(previous)
    }

    /// The custom Astra role that the role claims; none when it was deleted.
    pub(crate) fn claim(&self) -> Option<&PolicyRole> {
        self.granted.policy.as_ref().filter(|_| self.is_live())
    }

    /// The replaced tokens that are to live on for the overlap; none when the role was deleted.
    pub(crate) fn overlapping(&self) -> &[PreviousToken] {
        match self.is_live() {
            true => &self.previous,
            false => &[],
        }
    }

    /// Seconds that a replaced token lives on: less than the time between two rotations.
    pub(crate) fn overlap(&self, now: OffsetDateTime) -> u64 {
        let half = || self.schedule.shortest_gap(now) / 2;
        self.overlap.unwrap_or_else(|| DEFAULT_OVERLAP.min(half()))
    }

    /// When Astra is to end a token that is minted at `now`.
    pub(crate) fn expiry(&self, now: OffsetDateTime) -> OffsetDateTime {
        let overlap = Duration::seconds(i64::try_from(self.overlap(now)).unwrap_or(i64::MAX));
        self.schedule.token_end(now, overlap)
    }

    /// When the current token was made, as a read shows it.
    pub(crate) fn last_rotation(&self) -> String {
        time_text(self.current.as_ref().map(|current| current.rotated_at))
    }

    /// When the token is due to be replaced: as scheduled, or before Astra ends it, where the
    /// organization gives it less time than was asked for.
    pub(crate) fn next_rotation(&self) -> Option<OffsetDateTime> {
        let current = self.current.as_ref()?;
        let scheduled = self
            .schedule
            .due_at(current.rotated_at, self.schedule_set_at);
        let end = current.expires_at;
        let before_end = end.map(|end| before_end(current.rotated_at, end, self.wanted_overlap()));
        earlier(scheduled, before_end)
    }

    /// The overlap that the operator asked for, by itself.
    fn wanted_overlap(&self) -> Duration {
        let seconds = self.overlap.unwrap_or_default();
        Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Whether the organization ends tokens too soon for the overlap, the default one included.
    pub(crate) fn overlap_warning(&self) -> Option<String> {
        let current = self.current.as_ref()?;
        let left = current.expires_at? - self.next_rotation()?;
        let overlap = self.overlap(current.rotated_at);
        let overlap = Duration::seconds(i64::try_from(overlap).unwrap_or(i64::MAX));
        (left.saturating_add(Duration::MINUTE) < overlap).then(|| {
            format!(
                "overlap: the organization ends tokens so soon that the previous token lives on \
                 for {} after a rotation, not {}",
                format_seconds(left.whole_seconds()),
                format_seconds(overlap.whole_seconds())
            )
        })
    }

    /// Puts `token` in the current one's place, which lives on for the overlap; tells how many previous
    /// tokens end before theirs is over, because there are too many.
    pub(crate) fn replace(&mut self, token: CurrentToken, now: OffsetDateTime) -> usize {
        let overlap = i64::try_from(self.overlap(now)).unwrap_or(i64::MAX);
        let end = now.saturating_add(Duration::seconds(overlap));
        self.retire(end);
        let over = self.previous.len().saturating_sub(MAX_PREVIOUS);
        for token in self.previous.iter_mut().take(over) {
            token.delete_at = token.delete_at.min(now);
        }
        self.current = Some(token);
        over
    }

    /// The role is deleted at `now`: all its tokens are to be deleted.
    pub(crate) fn tombstone(&mut self, now: OffsetDateTime) {
        self.retire(now);
        self.previous = self.previous_over(now);
    }

    /// The replaced tokens, all of which are to be deleted at `now` at the latest.
    pub(crate) fn previous_over(&self, now: OffsetDateTime) -> Vec<PreviousToken> {
        let mut previous = self.previous.clone();
        for token in &mut previous {
            token.delete_at = token.delete_at.min(now);
        }
        previous
    }

    fn retire(&mut self, delete_at: OffsetDateTime) {
        if let Some(old) = self.current.take() {
            self.previous.push(PreviousToken {
                client_id: old.client_id,
                org_id: old.org_id,
                role_ids: old.role_ids,
                by_policy: old.by_policy,
                minted_at: Some(old.rotated_at),
                minted_by_astra: old.minted_by_astra,
                delete_at,
            });
        }
    }
}
