//! What fuzzing found, or began with, never fails again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use fuzz::targets::ALL;
use parking_lot::Mutex;
use zip::ZipArchive;

/// Far more than any input needs, also on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);

/// Panics, also those in tasks, whose runtime hides them.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// An input and what it is called.
type Input = (String, Vec<u8>);

/// The inputs of `target`: those that people wrote, and those that fuzzing found, which are packed.
fn inputs(target: &str) -> Vec<Input> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut inputs = written(&corpus.join(target));
    assert!(!inputs.is_empty(), "{target} has no written input");
    let found = found(&corpus.join(format!("{target}.zip")));
    assert!(
        found.len() > 100,
        "{target}: only {} were found",
        found.len()
    );
    inputs.extend(found);
    inputs
}

fn written(folder: &Path) -> Vec<Input> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |path: &Path| (path.display().to_string(), fs::read(path).unwrap());
    entries.map(|entry| read(&entry.unwrap().path())).collect()
}

fn found(packed: &Path) -> Vec<Input> {
    let file = File::open(packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut archive = ZipArchive::new(file).unwrap();
    let mut inputs = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut input = Vec::new();
        entry.read_to_end(&mut input).unwrap();
        let name = entry.name().unwrap();
        inputs.push((format!("{}: {name}", packed.display()), input));
    }
    inputs
}

#[test]
fn every_input_of_the_corpus_is_survived() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.lock().push(panic.to_string());
    }));
    let mut failures = Vec::new();
    for (name, target) in ALL {
        for (file, input) in inputs(name) {
            let begun = Instant::now();
            let _ = std::panic::catch_unwind(|| target(&input));
            let panics = std::mem::take(&mut *PANICS.lock());
            if !panics.is_empty() || begun.elapsed() > LONGEST {
                failures.push(format!("{file}: {:?}, {panics:?}", begun.elapsed()));
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
