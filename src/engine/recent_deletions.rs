//! Tokens that this process deleted while they were young.
//!
//! A host repeats a revocation whose answer it did not get. That Astra does not know the token then is
//! no sign of a token that appears late: this process has seen it deleted.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a token that Astra has answered with may stay unknown to a delete or a list.  Astra does not
/// say; 30 s is more than replicas need, and short enough for the host's retries after 10, 30 and 70 s.
pub(crate) const VISIBLE_AFTER: Duration = Duration::from_secs(30);

/// The client ids of young tokens that were deleted, each for as long as the token counts as young.
#[derive(Default)]
pub(crate) struct RecentDeletions {
    deleted: Mutex<HashMap<String, Instant>>,
}

impl RecentDeletions {
    /// Remembers for `window` that Astra has deleted the token with `client_id`.
    pub(crate) fn record(&self, client_id: &str, window: Duration) {
        let now = Instant::now();
        let mut deleted = self.deleted.lock();
        // Only before it would grow: looked through each time, a thousand revocations in a row would
        // take a million looks.
        if deleted.len() == deleted.capacity() {
            deleted.retain(|_, until| *until > now);
            deleted.shrink_to_fit();
        }
        deleted.insert(client_id.to_owned(), now + window);
    }

    /// Whether Astra deleted the token with `client_id` a short time ago.
    pub(crate) fn contains(&self, client_id: &str) -> bool {
        let deleted = self.deleted.lock();
        deleted
            .get(client_id)
            .is_some_and(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deletion_is_remembered_for_the_window_only() {
        let deletions = RecentDeletions::default();
        let window = Duration::from_secs(120);
        deletions.record("one", window);
        tokio::time::advance(Duration::from_secs(119)).await;
        assert!(deletions.contains("one"));
        assert!(!deletions.contains("two"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!deletions.contains("one"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_takes_no_memory_for_long() {
        let deletions = RecentDeletions::default();
        let window = Duration::from_secs(120);
        let record = |number: usize| deletions.record(&number.to_string(), window);
        (0..1_000).for_each(record);
        assert_eq!(deletions.deleted.lock().len(), 1_000);
        tokio::time::advance(window).await;
        (1_000..3_000).for_each(record);
        let deleted = deletions.deleted.lock();
        assert_eq!(deleted.len(), 2_000);
        assert!(deleted.capacity() < 8_000, "{}", deleted.capacity());
    }
}
