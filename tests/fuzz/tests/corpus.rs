//! What fuzzing found, or began with, never fails again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use fuzz::targets::ALL;

/// Far more than any input needs, and far less than a person waits.
const LONGEST: Duration = Duration::from_secs(10);

/// Panics, also those in tasks, whose runtime hides them.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_the_corpus_is_survived() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.lock().unwrap().push(panic.to_string());
    }));
    let mut failures = Vec::new();
    for (name, target) in ALL {
        let files = inputs(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let input = fs::read(&file).unwrap();
            let begun = Instant::now();
            let _ = std::panic::catch_unwind(|| target(&input));
            let panics = std::mem::take(&mut *PANICS.lock().unwrap());
            if !panics.is_empty() || begun.elapsed() > LONGEST {
                failures.push(format!(
                    "{}: {:?}, {panics:?}",
                    file.display(),
                    begun.elapsed()
                ));
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
