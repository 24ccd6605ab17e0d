//! What happened, in order: two runs of one history must agree in every line.

use std::fmt::Display;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The log of a run, for runs that somebody reads.
pub struct Trace {
    began: Instant,
    lines: Option<Mutex<Vec<String>>>,
}

impl Trace {
    /// An empty log; `keeps` is whether it keeps its lines.
    pub fn new(keeps: bool) -> Self {
        Self {
            began: Instant::now(),
            lines: keeps.then(Mutex::default),
        }
    }

    /// Adds a line.
    pub fn note(&self, what: impl Display) {
        if let Some(lines) = &self.lines {
            let time = self.began.elapsed().as_secs_f64();
            lines.lock().push(format!("{time:>11.3} {what}"));
        }
    }

    /// The lines, if they were kept.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .as_ref()
            .map_or_else(Vec::new, |lines| lines.lock().clone())
    }
}
