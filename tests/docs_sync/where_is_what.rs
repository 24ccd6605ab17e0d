//! `docs/internals/architecture.md` begins with a table that says where everything is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::table::rows;
use crate::table::spans;

/// Parts of the engine that do nothing by themselves.
const HELPERS: &[&str] = &[
    "clock.rs",
    "fuzzing.rs",
    "mod.rs",
    "testing",
    "tests",
    "time_text.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The places that the table names: a path, and names to look for there.
fn places() -> Vec<(String, Vec<String>)> {
    let page = fs::read_to_string(root().join("docs/internals/architecture.md")).expect("the page");
    let (_, after) = page
        .split_once("\n## Where is what\n")
        .expect("the section");
    let section = after.split("\n## ").next().expect("its end");
    let place = |row: Vec<String>| {
        let mut names = spans(&row[1]);
        (names.remove(0), names)
    };
    rows(section).into_iter().map(place).collect()
}

/// All Rust code at or below `path`.
fn code(path: PathBuf) -> String {
    if path.is_file() {
        return fs::read_to_string(&path).unwrap_or_default();
    }
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries
        .map(|entry| code(entry.expect("an entry of a folder").path()))
        .collect()
}

#[test]
fn what_the_table_names_is_there() {
    let places = places();
    assert!(places.len() > 40, "only {} rows", places.len());
    for (path, names) in places {
        let code = code(root().join(&path));
        for name in names {
            let is_defined = ["fn", "struct", "enum", "trait", "const"]
                .iter()
                .any(|keyword| {
                    code.match_indices(&format!("{keyword} {name}"))
                        .any(|(at, found)| {
                            let next = code[at + found.len()..].chars().next();
                            next.is_some_and(|next| !next.is_alphanumeric() && next != '_')
                        })
                });
            assert!(is_defined, "{path} does not define {name}");
        }
    }
}

#[test]
fn every_part_of_the_engine_is_in_the_table() {
    let named: BTreeSet<String> = places().into_iter().map(|(path, _)| path).collect();
    for entry in fs::read_dir(root().join("src/engine")).expect("the engine") {
        let name = entry.expect("an entry of a folder").file_name();
        let name = name.to_string_lossy();
        // A file's folder has its tests.
        let is_part =
            !HELPERS.contains(&name.as_ref()) && !named.contains(&format!("src/engine/{name}.rs"));
        let part = format!("src/engine/{name}");
        let is_named = named
            .iter()
            .any(|path| *path == part || path.starts_with(&format!("{part}/")));
        assert!(!is_part || is_named, "{part} is not in the table");
    }
}
