//! Trying a new token before it takes the place of the old one.

use std::time::Duration;

use crate::astra::Deadline;

/// A new token may take a moment until Astra knows it everywhere: how often to look again, and after
/// how long each time.
const WAITS: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
];

/// The waits between looks at a new token.
pub(crate) struct PropagationBackoff {
    waits: std::slice::Iter<'static, Duration>,
    deadline: Deadline,
}

impl PropagationBackoff {
    /// PropagationBackoff that ends with `deadline`, at the latest.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self {
            waits: WAITS.iter(),
            deadline,
        }
    }

    /// Waits for the next look; false when it is over.
    pub(crate) async fn wait(&mut self) -> bool {
        match self.waits.next() {
            Some(wait) if self.deadline.remaining() > *wait => {
                tokio::time::sleep(*wait).await;
                true
            }
            _ => false,
        }
    }
}
