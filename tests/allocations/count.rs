//! Counting what is allocated.

use dhat::HeapStats;
use dhat::Profiler;

/// What one request allocates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) allocations: u64,
    pub(crate) bytes: u64,
}

impl Cost {
    /// The figures that nine of ten exceed or equal: on a busy machine more than half of the requests have
    /// a timer or a part of an answer more.
    pub(crate) fn lowest_decile(costs: &[Self]) -> Self {
        let decile = |of: fn(&Self) -> u64| {
            let mut values: Vec<u64> = costs.iter().map(of).collect();
            values.sort_unstable();
            values[values.len() / 10]
        };
        Self {
            allocations: decile(|cost| cost.allocations),
            bytes: decile(|cost| cost.bytes),
        }
    }
}

/// What `work` allocates, and its result.
pub(crate) async fn of<T>(work: impl Future<Output = T>) -> (Cost, T) {
    let _profiler = Profiler::builder().testing().build();
    let result = work.await;
    let after = HeapStats::get();
    let cost = Cost {
        allocations: after.total_blocks,
        bytes: after.total_bytes,
    };
    (cost, result)
}

/// The most bytes that `work` has allocated at one moment, and its result.
pub(crate) async fn peak_of<T>(work: impl Future<Output = T>) -> (u64, T) {
    let _profiler = Profiler::builder().testing().build();
    let result = work.await;
    let peak = u64::try_from(HeapStats::get().max_bytes).unwrap();
    (peak, result)
}
