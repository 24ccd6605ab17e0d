//! What happened, in order: two runs of one history must agree in every line.

use std::fmt::Display;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The log of a run, as a hash, and in full where somebody wants to read it.
pub struct Trace {
    began: Instant,
    log: Mutex<Log>,
    keeps: bool,
}

struct Log {
    hash: u64,
    lines: Vec<String>,
}

impl Trace {
    /// An empty log; `keeps` is whether it keeps its lines.
    pub fn new(keeps: bool) -> Self {
        Self {
            began: Instant::now(),
            log: Mutex::new(Log {
                hash: 0xcbf2_9ce4_8422_2325,
                lines: Vec::new(),
            }),
            keeps,
        }
    }

    /// Adds a line.
    pub fn note(&self, what: impl Display) {
        let line = format!("{:>11.3} {what}", self.began.elapsed().as_secs_f64());
        let mut log = self.log.lock();
        log.hash = line.bytes().fold(log.hash, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        if self.keeps {
            log.lines.push(line);
        }
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.log.lock().hash
    }

    /// The lines, if they were kept.
    pub fn lines(&self) -> Vec<String> {
        self.log.lock().lines.clone()
    }
}
