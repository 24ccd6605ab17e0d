//! Tokens that a list of Astra's showed a short time ago.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a token that was listed is not looked for again.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// Client ids, each with the time at which a list that showed it was asked for.
#[derive(Default)]
pub(crate) struct SeenTokens(Mutex<HashMap<String, Instant>>);

impl SeenTokens {
    /// A list that was asked for at `asked` shows the token with `client_id`.
    pub(crate) fn record(&self, client_id: &str, asked: Instant) {
        let mut seen = self.0.lock();
        seen.retain(|_, before| asked.saturating_duration_since(*before) < MAX_AGE);
        seen.insert(client_id.to_owned(), asked);
    }

    /// Whether a list has shown the token with `client_id` within the hour before `now`.
    pub(crate) fn contains(&self, client_id: &str, now: Instant) -> bool {
        let seen = self.0.lock();
        seen.get(client_id)
            .is_some_and(|asked| now.saturating_duration_since(*asked) < MAX_AGE)
    }

    /// Another node may change what storage and Astra have from now on.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
