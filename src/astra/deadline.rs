//! When an operation must be over.
//!
//! By hand, as it is one instant of the clock of tokio, which a test can pause.

use std::time::Duration;

use tokio::time::Instant;

/// The moment by which a whole operation, retries and waiting included, must have ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment `time` from now.
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        // A time beyond what the clock can express means a deadline that is never reached.
        let far = now + Duration::from_secs(86_400 * 365);
        Self(now.checked_add(time).unwrap_or(far))
    }

    /// What is left, zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this deadline and `time` from now.
    pub fn at_most(&self, time: Duration) -> Self {
        (*self).min(Self::after(time))
    }

    /// An equal share of what remains, for the first of `count` who use it one after the other: one that
    /// hangs leaves time to those that follow.
    pub fn share(&self, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        self.at_most(self.remaining() / count)
    }

    /// The time allowed to one attempt: `limit` or what is left, the shorter of the two.
    pub(super) fn attempt(&self, limit: Duration) -> Duration {
        self.remaining().min(limit)
    }

    pub(super) fn instant(&self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Deadline;

    #[tokio::test(start_paused = true)]
    async fn counts_down_to_zero() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(deadline.remaining(), Duration::from_secs(10));
        assert_eq!(
            deadline.attempt(Duration::from_secs(3)),
            Duration::from_secs(3)
        );
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(
            deadline.attempt(Duration::from_secs(3)),
            Duration::from_secs(2)
        );
        assert!(!deadline.is_over());
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(deadline.is_over());
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn shares_are_of_what_remains() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(deadline.share(4).remaining(), Duration::from_millis(2_500));
        for all in [0, 1] {
            assert_eq!(deadline.share(all), deadline);
        }
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(deadline.share(3).remaining(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_never_extends() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(deadline.at_most(Duration::from_secs(99)), deadline);
        assert_eq!(
            deadline.at_most(Duration::from_secs(4)).remaining(),
            Duration::from_secs(4)
        );
        assert!(Deadline::after(Duration::MAX).remaining() > Duration::from_secs(86_400));
    }
}
