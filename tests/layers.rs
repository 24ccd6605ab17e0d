//! The layers stay apart: what can be lifted out for another plugin names nothing of Astra, and the
//! Astra client names nothing of Vault (docs/architecture.md).

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// All Rust files at or below `path`.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries
        .flat_map(|entry| sources(&entry.expect("a readable folder").path()))
        .collect()
}

/// The lines below `folder` that contain one of `words`, ignoring case.
fn offences(folder: &str, words: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = sources(&root);
    assert!(!files.is_empty(), "{folder} has no sources");
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable source");
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            if words.iter().any(|word| lower.contains(word)) {
                found.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

#[test]
fn what_other_plugins_could_use_does_not_name_astra() {
    for folder in [
        "proto",
        "src/proto.rs",
        "src/plugin",
        "src/vault",
        "src/framework",
    ] {
        assert_eq!(offences(folder, &["astra"]), Vec::<String>::new());
    }
}

#[test]
fn lower_layers_do_not_use_higher_ones() {
    let uses = |folder, layers: &[&str]| {
        let words: Vec<String> = layers
            .iter()
            .map(|layer| format!("crate::{layer}"))
            .collect();
        offences(
            folder,
            &words.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        uses("src/vault", &["plugin", "framework", "engine"]),
        Vec::<String>::new()
    );
    assert_eq!(
        uses("src/framework", &["plugin", "engine", "proto"]),
        Vec::<String>::new()
    );
    assert_eq!(
        uses("src/plugin", &["framework", "engine"]),
        Vec::<String>::new()
    );
    assert_eq!(
        uses("src/engine", &["plugin", "proto"]),
        Vec::<String>::new()
    );
}

#[test]
fn the_astra_client_does_not_name_vault() {
    assert_eq!(
        offences(
            "src/astra",
            &["vault", "framework", "crate::engine", "crate::plugin"]
        ),
        Vec::<String>::new()
    );
}
