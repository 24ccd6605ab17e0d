//! What came of each change, as it is known.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::change::Change;
use crate::unit_tests::Verdict;

pub(crate) enum Outcome {
    /// It does not compile.
    Unviable,
    Tried(Verdict),
}

/// The results so far: `results.txt` has a line for each change, `missed.txt` those that no test saw.
pub(crate) struct Results {
    all: File,
    missed: File,
    seen: usize,
    timed_out: usize,
    unviable: usize,
    lost: usize,
}

impl Results {
    /// Begins files in the folder.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub(crate) fn new(folder: &Path) -> Result<Self, String> {
        let create = |name: &str| {
            let path = folder.join(name);
            File::create(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Ok(Self {
            all: create("results.txt")?,
            missed: create("missed.txt")?,
            seen: 0,
            timed_out: 0,
            unviable: 0,
            lost: 0,
        })
    }

    /// Notes one more.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub(crate) fn add(&mut self, change: &Change, outcome: &Outcome) -> Result<(), String> {
        let (count, text) = match outcome {
            Outcome::Unviable => (&mut self.unviable, "unviable".to_owned()),
            Outcome::Tried(Verdict::Seen(test)) => (&mut self.seen, format!("seen by {test}")),
            Outcome::Tried(Verdict::TimedOut) => (&mut self.timed_out, "timed out".to_owned()),
            Outcome::Tried(Verdict::Missed(tests)) => {
                (&mut self.lost, format!("MISSED by {tests} tests"))
            }
        };
        *count += 1;
        let line = format!("{}: {text}\n", change.name);
        let is_missed = text.starts_with("MISSED");
        if is_missed {
            print!("{line}");
        }
        let written = self.all.write_all(line.as_bytes()).and_then(|()| {
            if is_missed {
                self.missed.write_all(line.as_bytes())
            } else {
                Ok(())
            }
        });
        written.map_err(|error| error.to_string())
    }

    /// Says how many there were; the number of those that were missed.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub(crate) fn end(mut self) -> Result<usize, String> {
        let all = self.seen + self.timed_out + self.unviable + self.lost;
        let sum = format!(
            "{all} changes: {} seen, {} timed out, {} do not compile, {} missed\n",
            self.seen, self.timed_out, self.unviable, self.lost
        );
        print!("{sum}");
        let written = self.all.write_all(sum.as_bytes());
        written.map_err(|error| error.to_string())?;
        Ok(self.lost)
    }
}
