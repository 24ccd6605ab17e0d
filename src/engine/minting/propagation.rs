//! Trying a new token before it takes the place of the old one.

use std::time::Duration;

use crate::astra::Deadline;

/// A new token may take a while until Astra knows it everywhere: how often to look again, and after how
/// long each time.  Together as long as it [may stay unknown](crate::engine::Deadlines::visible_after): were
/// it given up before, no rotation would succeed while Astra is slow, until the present token has ended.
const WAITS: [Duration; 10] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
];

/// What a wait leaves of an operation's time: to look once more, and to delete what does not work.
const RESERVE: Duration = Duration::from_secs(5);

/// The waits between looks at a new token.
pub(crate) struct PropagationBackoff {
    waits: std::slice::Iter<'static, Duration>,
    deadline: Deadline,
}

impl PropagationBackoff {
    /// PropagationBackoff that ends a while before `deadline`, at the latest.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self {
            waits: WAITS.iter(),
            deadline,
        }
    }

    /// Waits for the next look; false when it is over.
    pub(crate) async fn wait(&mut self) -> bool {
        match self.waits.next() {
            Some(wait) if self.deadline.remaining() > *wait + RESERVE => {
                tokio::time::sleep(*wait).await;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::Deadline;
    use super::Duration;
    use super::PropagationBackoff;
    use super::RESERVE;
    use super::WAITS;
    use crate::engine::VISIBLE_AFTER;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_and_leaves_time_to_delete_what_does_not_work() {
        for seconds in [0, 5, 6, 12, 20, 55, 600] {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            let began = Instant::now();
            let mut backoff = PropagationBackoff::until(deadline);
            let mut waits = 0;
            while waits <= WAITS.len() && backoff.wait().await {
                waits += 1;
                assert!(
                    deadline.remaining() >= RESERVE,
                    "{seconds} s, {waits} waits"
                );
            }
            assert!(waits <= WAITS.len(), "{seconds} s: it waits for ever");
            let waited = began.elapsed();
            let has_time = seconds >= 55;
            assert_eq!(waited >= VISIBLE_AFTER, has_time, "{seconds} s: {waited:?}");
        }
    }

    #[test]
    fn a_new_token_has_all_the_time_that_it_may_take_to_be_known() {
        let all: Duration = WAITS.iter().sum();
        assert!(all >= VISIBLE_AFTER, "{all:?}");
    }
}
