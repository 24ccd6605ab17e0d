//! Waiting for a condition instead of for a time.

use std::time::Duration;
use std::time::Instant;

/// Repeats `condition` until it holds; panics with `what` once `limit` has passed.
///
/// The pause between two questions grows from 5 ms to 250 ms, so short waits end early and long
/// ones cost little.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(5);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
