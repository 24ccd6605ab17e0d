//! `metrics`: the mount in numbers, as Prometheus reads them.

mod gauges;
mod paths;
mod refresh;

pub use paths::paths;
pub use refresh::refresh;
