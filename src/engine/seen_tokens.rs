//! Tokens that a list of Astra's showed a short time ago.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a token that was listed is not looked for again.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// Client ids, each with the time at which it is to be looked for again.
#[derive(Default)]
pub(crate) struct SeenTokens(Mutex<HashMap<String, Instant>>);

impl SeenTokens {
    /// A list that was asked for at `asked` shows the token with `client_id`; it is looked for again
    /// after `left` at the latest.
    pub(crate) fn record(&self, client_id: &str, asked: Instant, left: Option<Duration>) {
        let mut seen = self.0.lock();
        seen.retain(|_, until| *until > asked);
        let age = left.map_or(MAX_AGE, |left| left.min(MAX_AGE));
        seen.insert(client_id.to_owned(), asked + age);
    }

    /// Whether a list has shown the token with `client_id`, and it need not be looked for at `now`.
    pub(crate) fn contains(&self, client_id: &str, now: Instant) -> bool {
        let seen = self.0.lock();
        seen.get(client_id).is_some_and(|until| now < *until)
    }

    /// Another node may change what storage and Astra have from now on.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_looked_for_again_after_an_hour_or_before_its_end() {
        let now = Instant::now();
        let seen = SeenTokens::default();
        let after = |client_id: &str, minutes: u64| {
            seen.contains(client_id, now + Duration::from_secs(60 * minutes))
        };
        seen.record("endless", now, None);
        seen.record("long", now, Some(2 * MAX_AGE));
        seen.record("short", now, Some(MAX_AGE / 6));
        for (client_id, last) in [("endless", 59), ("long", 59), ("short", 9)] {
            assert!(after(client_id, last) && !after(client_id, last + 1));
        }
        assert!(!after("other", 0));
        seen.clear();
        assert!(!after("endless", 1));
    }
}
