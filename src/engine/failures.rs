//! Rotations that failed: what happened, and when to try again.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use time::Duration;
use time::OffsetDateTime;

use super::error::Error;
use super::failpoint;
use super::store::Key;
use super::store::Store;
use super::store::StoreError;
use super::time_text::time_text;
use crate::framework::Field;

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::MINUTE;
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::HOUR;

/// The failures since the last success, stored apart from the token, so that noting a failure never
/// rewrites a secret.  No entry means no failure.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Failures {
    /// How many in a row.
    pub count: u32,
    /// What happened last, for the operator.
    pub last_error: String,
    /// When to try again.
    #[serde(with = "time::serde::rfc3339")]
    pub retry_at: OffsetDateTime,
}

impl Failures {
    /// The failures stored at `key`.  A note that is damaged, or of a newer version, counts as none: it only
    /// says when to try again, so nothing is lost where the next one replaces it, and it must not keep
    /// tokens from being rotated and deleted.
    pub(super) async fn load(store: &Store, key: &Key) -> Result<Option<Self>, StoreError> {
        match store.get(key).await {
            Err(error @ (StoreError::Damaged { .. } | StoreError::TooNew { .. })) => {
                tracing::warn!(%error, "a note of failed rotations cannot be used and counts as none");
                Ok(None)
            }
            read => read,
        }
    }

    /// Whether it is too soon to try again at `now`.  A clock that was set back must not put it off.
    pub(super) fn is_waiting(&self, now: OffsetDateTime) -> bool {
        self.retry_at > now && self.retry_at - now <= LONGEST_WAIT
    }

    /// Notes one more failure at `now`; `end` is when Astra ends the token that is to be replaced, before
    /// which it is tried again.  The note is not worth an error of its own.
    pub(super) async fn note(
        store: &Store,
        key: &Key,
        error: &Error,
        now: OffsetDateTime,
        end: Option<OffsetDateTime>,
    ) {
        let before = match Self::load(store, key).await {
            Ok(before) => before.map_or(0, |failures| failures.count),
            Err(_) => 0,
        };
        let failures = Self::after(before, error, now, end);
        if let Err(error) = store.put(key, &failures).await {
            tracing::warn!(%error, "a failed rotation could not be noted");
        }
        failpoint::hit("rotation.failure-noted");
    }

    /// Forgets the failures, if there are any.
    pub(super) async fn clear(store: &Store, key: &Key) {
        // One that cannot be used is there too.
        if matches!(store.get::<Self>(key).await, Ok(None)) {
            return;
        }
        if let Err(error) = store.delete(key).await {
            tracing::warn!(%error, "former failures of a rotation could not be cleared");
        }
        failpoint::hit("rotation.failures-cleared");
    }

    fn after(before: u32, error: &Error, now: OffsetDateTime, end: Option<OffsetDateTime>) -> Self {
        let doublings = before.min(16);
        let wait = (FIRST_WAIT * (1_i32 << doublings)).min(LONGEST_WAIT);
        // Several tries before the end, and none long after it.
        let wait = end.map_or(wait, |end| wait.min((end - now) / 4_i32).max(FIRST_WAIT));
        Self {
            count: before.saturating_add(1),
            last_error: error.to_string(),
            retry_at: now.checked_add(wait).unwrap_or(now),
        }
    }
}

/// Shows when the next rotation is due and what came of the last try.
pub(super) fn show(
    next: Option<OffsetDateTime>,
    failures: Option<Failures>,
    data: &mut Map<String, Value>,
) {
    let retry = failures.as_ref().map(|failures| failures.retry_at);
    data.insert(
        "next_rotation".into(),
        time_text(next.map(|next| retry.map_or(next, |retry| next.max(retry)))).into(),
    );
    let last_error = failures.map(|failures| failures.last_error);
    data.insert(
        "rotation_error".into(),
        last_error.unwrap_or_default().into(),
    );
}

/// The fields that [`show`] adds.
pub(super) fn shown() -> [Field; 2] {
    [
        Field::string(
            "next_rotation",
            "When the next rotation is due, or the next try while it fails. Empty without a \
             schedule.",
        )
        .required(),
        Field::string(
            "rotation_error",
            "Why the last rotation failed. Empty when it did not.",
        )
        .required(),
    ]
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let now = datetime!(2026-11-23 12:00 UTC);
        let error = crate::vault::Error::Internal("it broke".to_owned()).into();
        let wait =
            |before| (Failures::after(before, &error, now, None).retry_at - now).whole_minutes();
        let waits: Vec<i64> = (0..9).map(wait).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(u32::MAX), 60);
        assert_eq!(Failures::after(2, &error, now, None).last_error, "it broke");
        let end = |minutes| Some(now + Duration::minutes(minutes));
        let failures = Failures::after(9, &error, now, None);
        let waiting = |hours| failures.is_waiting(now + Duration::hours(hours));
        // Of a clock that was set back by three hours nothing is expected.
        assert_eq!([0, 1, -3].map(waiting), [true, false, false]);
        let waits = [-5, 2, 20, 600].map(|left| {
            let after = Failures::after(9, &error, now, end(left));
            (after.retry_at - now).whole_minutes()
        });
        assert_eq!(waits, [1, 1, 5, 60]);
    }
}
