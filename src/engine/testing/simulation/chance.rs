//! What chance decides: everything follows from the seed of the history.
//!
//! Each operation draws from a stream of its own, so that an operation that is left out changes as
//! little as possible of what the others meet.

use std::cell::RefCell;
use std::future::Future;

use fastrand::Rng;

tokio::task_local! {
    static OWN: RefCell<Rng>;
}

thread_local! {
    static COMMON: RefCell<Rng> = const { RefCell::new(Rng::with_seed(0)) };
}

/// Begins all streams of this thread again, that of ids and of the spread of waits included.
pub fn seed(seed: u64) {
    fastrand::seed(seed);
    COMMON.set(Rng::with_seed(seed));
}

/// Lets `work` draw from a stream of its own.
pub async fn scoped<F: Future>(seed: u64, work: F) -> F::Output {
    OWN.scope(RefCell::new(Rng::with_seed(seed)), work).await
}

/// Draws from the stream of the present operation, or from the common one.
pub fn draw<T>(draw: impl Fn(&mut Rng) -> T) -> T {
    OWN.try_with(|own| draw(&mut own.borrow_mut()))
        .unwrap_or_else(|_| COMMON.with_borrow_mut(&draw))
}

/// A number that depends on both and on nothing else.
pub fn mix(seed: u64, number: u64) -> u64 {
    Rng::with_seed(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).u64(..)
}
