//! One thread, a paused clock, and Astra in the same process instead of behind sockets: nothing is waited
//! for, and how busy the machine is changes nothing.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use astra_emulator::Emulator;
use astra_emulator::Options;
use parking_lot::Mutex;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::task::LocalSet;

use super::simulation::chance;
use super::simulation::network::Network;
use super::simulation::trace::Trace;
use crate::astra::simulated_network;
use crate::engine::clock::simulated;

/// What time it is when work begins.
pub const BEGIN: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// Runs `work` on this thread; `seed` decides all delays and ids.
pub fn run<F: Future>(seed: u64, work: F) -> F::Output {
    chance::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let output = LocalSet::new().block_on(&runtime, work);
    simulated_network::set(None);
    simulated::set(None);
    output
}

/// Plays all `cells` with `play`, each on one of as many threads as there are cores, and returns those that
/// panicked, with the reason.
pub fn failures<C: Display + Sync>(cells: &[C], play: impl Fn(&C) + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| play(cell)));
                    if let Err(panic) = ended {
                        failed.lock().push(format!("{cell}: {}", words(panic)));
                    }
                }
            });
        }
    });
    failed.into_inner()
}

/// What a failed assertion said.
pub fn words(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "it failed".to_owned(),
    }
}

/// An Astra whom all clients of this thread reach from now on, and whose clock is the node's.
pub fn astra(options: Options, trace: Arc<Trace>) -> Emulator {
    let options = Options {
        start_time: Some(BEGIN),
        ..options
    };
    let astra = Emulator::in_process(options).unwrap();
    simulated::set(Some(BEGIN));
    simulated_network::set(Some(Arc::new(Network {
        astra: astra.clone(),
        trace,
    })));
    astra
}
