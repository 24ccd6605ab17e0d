//! `metrics`: the mount in numbers, as Prometheus reads them.

mod gauges;
mod paths;
mod refresh;

pub(super) use paths::paths;
pub(super) use refresh::refresh;
