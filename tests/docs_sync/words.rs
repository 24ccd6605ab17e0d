//! One word, one meaning: words that were given up do not come back (CONTRIBUTING.md, "Glossary").

use std::path::Path;
use std::path::PathBuf;

/// Words that were given up, and what stands in their place.
const RETIRED: &[(&str, &str)] = &[
    ("anew", "again"),
    ("anybody", "anyone"),
    ("bear", "carry"),
    ("bears", "carries"),
    ("buried", "tombstone"),
    ("bury", "tombstone"),
    ("claimant", "policy owner"),
    ("doubts", "uncertain writes"),
    ("everybody", "everyone"),
    ("farewell", "pending deletion"),
    ("fresh", "new, or uncommitted"),
    ("happening", "event"),
    ("haste", "hurry"),
    ("heed", "check"),
    ("intake", "response body"),
    ("leftover", "recovered block"),
    ("leftovers", "recovered blocks"),
    ("mends", "repairs"),
    ("mischief", "chaos"),
    ("nobody", "no one, or no user, token …"),
    ("patience", "timeout, or backoff"),
    ("settle", "reconcile, resolve or recover"),
    ("settled", "reconciled"),
    ("settles", "reconciles"),
    ("settling", "reconciling"),
    ("sighting", "tagged token"),
    ("tend", "reconcile"),
    ("tended", "reconciled"),
    ("unheld", "unused"),
    ("whither", "where"),
    ("whoever", "anyone who, or the caller"),
];

/// Where they are looked for.
const FOLDERS: &[&str] = &[
    "src",
    "tests",
    "emulator/src",
    "docs",
    "scripts",
    "examples",
];

/// The corpus is bytes that a fuzzer made, and this file has the list.
const SKIPPED: &[&str] = &["corpus", "target", "words.rs"];

fn files(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if SKIPPED.contains(&name.as_ref()) {
        return Vec::new();
    }
    match std::fs::read_dir(path) {
        Ok(entries) => entries
            .flat_map(|entry| files(&entry.expect("an entry of a folder").path()))
            .collect(),
        Err(_) => vec![path.to_owned()],
    }
}

/// The words of a text, parts of names included.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_ascii_alphabetic())
        .map(str::to_ascii_lowercase)
}

#[test]
fn retired_words_are_not_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut read = 0;
    for file in FOLDERS.iter().flat_map(|folder| files(&root.join(folder))) {
        // What is not text has no words.
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        read += 1;
        for (number, line) in (1..).zip(text.lines()) {
            for word in words(line) {
                if let Some((_, instead)) = RETIRED.iter().find(|(retired, _)| *retired == word) {
                    let file = file.strip_prefix(root).expect("below the root").display();
                    found.push(format!("{file}:{number}: {word}, instead of {instead}"));
                }
            }
        }
    }
    assert!(read > 300, "only {read} files were read");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn parts_of_names_are_words() {
    let found: Vec<String> = words("clear_leftovers(Farewell)").collect();
    assert_eq!(found, ["clear", "leftovers", "farewell", ""]);
}
