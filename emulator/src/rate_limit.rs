//! The rate limit of all callers together.

use tokio::time::Instant;

/// A bucket of one second's requests, refilled as time passes in the runtime.
#[derive(Clone, Copy, Default)]
pub(crate) struct RateLimit {
    filled: Option<(Instant, f64)>,
}

impl RateLimit {
    /// Takes one request of `rate` a second, or says how many seconds to wait.
    pub(crate) fn take(&mut self, rate: u32) -> Result<(), u64> {
        let rate = f64::from(rate);
        let now = Instant::now();
        let level = match self.filled {
            Some((at, level)) => (level + now.duration_since(at).as_secs_f64() * rate).min(rate),
            None => rate,
        };
        if level >= 1.0 {
            self.filled = Some((now, level - 1.0));
            return Ok(());
        }
        self.filled = Some((now, level));
        // At one request a second or more, a whole second is always enough.
        Err(1)
    }
}
