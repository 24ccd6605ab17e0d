//! The rate limit and the count of simultaneous requests.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// A bucket of one second's requests, refilled in real time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limiter {
    filled: Option<(Instant, f64)>,
}

impl Limiter {
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

/// How many requests are under way, and the most there ever were.
#[derive(Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    max: AtomicUsize,
}

impl Gauge {
    pub(crate) fn enter(self: &Arc<Self>) -> Inside {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.max.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::SeqCst)
    }

    pub(crate) fn reset(&self) {
        self.max.store(self.now(), Ordering::SeqCst);
    }
}

/// One request under way, until dropped.
pub(crate) struct Inside(Arc<Gauge>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}
