//! Tokens that this process deleted while they were young.
//!
//! A host repeats a revocation whose answer it did not get. That Astra does not know the token then is
//! no sign of a token that appears late: this process has seen it deleted.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a token that Astra has answered with may stay unknown to a delete or a list.  Astra does not
/// say; 30 s is more than replicas need, and short enough for the host's retries after 10, 30 and 70 s.
pub(crate) const VISIBLE_AFTER: Duration = Duration::from_secs(30);

/// The young tokens that were deleted, each for at least as long as a token counts as young.
///
/// Thousands may be deleted in a second, so of each client id only a hash with a key of this process is
/// kept.  The chance that two of a million are alike is less than 1 in 30 million.
pub(crate) struct RecentDeletions {
    window: Duration,
    hasher: RandomState,
    deleted: Mutex<Deleted>,
}

/// Hashes of client ids.
struct Deleted {
    /// Since `begun`.
    present: HashSet<u64>,
    /// In the window before that.
    former: HashSet<u64>,
    begun: Instant,
}

impl RecentDeletions {
    /// Deletions that are remembered for `window`, and forgotten by a deletion two windows later.
    pub(crate) fn new(window: Duration) -> Self {
        let deleted = Deleted {
            present: HashSet::new(),
            former: HashSet::new(),
            begun: Instant::now(),
        };
        Self {
            window,
            hasher: RandomState::new(),
            deleted: Mutex::new(deleted),
        }
    }

    /// Remembers that Astra has deleted the token with `client_id`.
    pub(crate) fn record(&self, client_id: &str) {
        let now = Instant::now();
        let mut deleted = self.deleted.lock();
        let age = now.duration_since(deleted.begun);
        if age >= self.window {
            let present = std::mem::take(&mut deleted.present);
            deleted.former = match age >= 2 * self.window {
                true => HashSet::new(),
                false => present,
            };
            deleted.begun = now;
        }
        deleted.present.insert(self.hasher.hash_one(client_id));
    }

    /// Whether Astra deleted the token with `client_id` a short time ago.
    pub(crate) fn contains(&self, client_id: &str) -> bool {
        let hash = self.hasher.hash_one(client_id);
        let deleted = self.deleted.lock();
        deleted.present.contains(&hash) || deleted.former.contains(&hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(120);

    #[tokio::test(start_paused = true)]
    async fn a_deletion_is_remembered_for_the_window_and_not_for_ever() {
        for step in [1, 7, 59, 119, 120, 121, 250] {
            let deletions = RecentDeletions::new(WINDOW);
            let mut recorded = Vec::new();
            for number in 0..50_u64 {
                let client_id = format!("{step}-{number}");
                assert!(!deletions.contains(&client_id));
                deletions.record(&client_id);
                recorded.push((client_id, Instant::now()));
                tokio::time::advance(Duration::from_secs(step)).await;
                deletions.record("another");
                let longest = 2 * (WINDOW + Duration::from_secs(step));
                for (client_id, at) in &recorded {
                    match deletions.contains(client_id) {
                        true => assert!(at.elapsed() <= longest, "{step} {client_id}"),
                        false => assert!(at.elapsed() >= WINDOW, "{step} {client_id}"),
                    }
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_takes_no_memory() {
        let deletions = RecentDeletions::new(WINDOW);
        for _ in 0..2 {
            (0..1_000).for_each(|number| deletions.record(&number.to_string()));
            tokio::time::advance(WINDOW).await;
        }
        deletions.record("another");
        tokio::time::advance(WINDOW).await;
        deletions.record("another");
        let deleted = deletions.deleted.lock();
        let capacity = deleted.present.capacity() + deleted.former.capacity();
        assert!(capacity < 100, "{capacity}");
    }
}
