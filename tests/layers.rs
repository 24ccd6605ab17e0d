//! The layers stay apart, and no files or folders use each other in a loop
//! (docs/internals/architecture.md).

#![allow(clippy::expect_used, clippy::panic)]

#[path = "layers/cycles.rs"]
mod cycles;
#[path = "layers/imports.rs"]
mod imports;
mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use self::cycles::cycles;
use self::imports::Crate;

/// The layers, and which others each of them may use.
const LAYERS: [(&str, &[&str]); 11] = [
    ("src/duration_text.rs", &[]),
    ("src/random.rs", &[]),
    ("src/secret.rs", &[]),
    ("src/proto.rs", &[]),
    ("src/vault", &["src/proto.rs", "src/secret.rs"]),
    (
        "src/framework",
        &["src/vault", "src/secret.rs", "src/duration_text.rs"],
    ),
    ("src/plugin", &["src/vault", "src/proto.rs"]),
    (
        "src/astra",
        &["src/random.rs", "src/secret.rs", "src/duration_text.rs"],
    ),
    (
        "src/engine",
        &[
            "src/astra",
            "src/duration_text.rs",
            "src/framework",
            "src/random.rs",
            "src/vault",
            "src/secret.rs",
        ],
    ),
    ("src/lib.rs", &[]),
    ("src/main.rs", &["src/engine", "src/plugin"]),
];

fn plugin() -> Crate {
    Crate::new("src", "vault_plugin_secrets_astra", sources::parsed("src"))
}

fn emulator() -> Crate {
    let files = sources::parsed("emulator/src");
    Crate::new("emulator/src", "astra_emulator", files)
}

fn layer_of(file: &str) -> Option<&'static str> {
    let is_in = |layer: &str| file == layer || file.starts_with(&format!("{layer}/"));
    LAYERS
        .iter()
        .map(|(layer, _)| *layer)
        .find(|layer| is_in(layer))
}

/// Each use of a file by another that `LAYERS` does not allow.
fn wrong_uses(plugin: &Crate) -> Vec<String> {
    let mut wrong = Vec::new();
    for (user, used) in plugin.uses() {
        let Some(layer) = layer_of(user) else {
            wrong.push(format!("{user} is in no layer: add it to LAYERS"));
            continue;
        };
        let allowed = LAYERS.iter().find(|(name, _)| *name == layer);
        let allowed = allowed.map_or(&[][..], |(_, allowed)| allowed);
        for target in used {
            let to = layer_of(target);
            if to != Some(layer) && !to.is_some_and(|to| allowed.contains(&to)) {
                wrong.push(format!("{user} uses {target}"));
            }
        }
    }
    wrong
}

#[test]
fn no_layer_uses_one_above_it() {
    assert_eq!(wrong_uses(&plugin()), Vec::<String>::new());
}

#[test]
fn only_the_codec_knows_the_protobuf_messages() {
    let plugin = plugin();
    let outside = plugin.uses().into_iter().filter(|(user, used)| {
        user.starts_with("src/vault/")
            && !user.starts_with("src/vault/codec/")
            && used.contains("src/proto.rs")
    });
    let outside: Vec<_> = outside.map(|(user, _)| user.to_owned()).collect();
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn no_files_or_folders_of_the_plugin_use_each_other_in_a_loop() {
    let plugin = plugin();
    assert_eq!(cycles(&plugin.uses()), BTreeSet::new());
}

#[test]
fn no_files_or_folders_of_the_emulator_use_each_other_in_a_loop() {
    let emulator = emulator();
    assert_eq!(cycles(&emulator.uses()), BTreeSet::new());
}

/// A crate of sources written here.
fn sample(files: &[(&str, &str)]) -> Crate {
    let parse = |(name, text): &(&str, &str)| {
        let syntax = syn::parse_file(text).expect("a source");
        ((*name).to_owned(), syntax)
    };
    Crate::new("src", "sample", files.iter().map(parse).collect())
}

#[test]
fn every_way_to_write_a_path_is_seen() {
    let facade = (
        "src/low/mod.rs",
        "mod deep; pub use deep::Deep; pub use deep::Other as Renamed;",
    );
    let deep = (
        "src/low/deep.rs",
        "pub struct Deep; pub struct Other; pub fn run() {}",
    );
    let lib = ("src/lib.rs", "pub mod low; mod high; pub use low as base;");
    for text in [
        "use crate::low::Deep;",
        "use crate::low::{self, Renamed};",
        "use crate::low::*; fn f(_: Deep) {}",
        "use super::super::low::Renamed;",
        "use crate::base::Deep;",
        "fn f() { crate::low::deep::run() }",
        "use crate::low; fn f() -> low::Deep { low::Deep }",
        "fn f() { assert!(crate::low::deep::run() == ()) }",
        "fn f() { write(&[super::super::low::Deep]) }",
        "impl crate::low::Renamed {}",
        "mod inner { fn f() { super::super::super::low::deep::run() } }",
        "struct S(Vec<crate::low::Deep>);",
    ] {
        let high = ("src/high/user.rs", text);
        let found = sample(&[facade, deep, lib, ("src/high/mod.rs", "mod user;"), high]);
        let uses = found.uses();
        assert!(
            uses["src/high/user.rs"].contains("src/low/deep.rs"),
            "{text}: {uses:?}"
        );
    }
    let tests = (
        "src/high/user.rs",
        "#[cfg(test)] mod tests { use crate::low::Deep; }",
    );
    let found = sample(&[facade, deep, lib, ("src/high/mod.rs", "mod user;"), tests]);
    assert!(found.uses()["src/high/user.rs"].is_empty());
    assert!(
        found.uses()["src/low/mod.rs"].is_empty(),
        "a facade uses nothing"
    );
}

#[test]
fn a_loop_of_folders_is_found_where_no_two_files_use_each_other() {
    let found = sample(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a/mod.rs", "pub mod one; pub mod two;"),
        ("src/a/one.rs", "use crate::b::one::One;"),
        ("src/a/two.rs", "pub struct Two;"),
        ("src/b/mod.rs", "pub mod one; pub mod two;"),
        ("src/b/one.rs", "pub struct One;"),
        ("src/b/two.rs", "use crate::a::two::Two;"),
    ]);
    let expected = BTreeSet::from([vec!["src/a".to_owned(), "src/b".to_owned()]]);
    assert_eq!(cycles(&found.uses()), expected);
}

/// All Rust and protobuf files at or below `path`.
fn texts(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries
        .flat_map(|entry| texts(&entry.expect("a readable folder").path()))
        .collect()
}

/// The package, as code names it.
const PACKAGE: &str = "vault_plugin_secrets_astra";

/// The lines below `folder` that contain `word`, ignoring case; comments and strings count too.
fn lines_with(folder: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        let text = fs::read_to_string(&file).expect("a readable source");
        for (number, line) in text.lines().enumerate() {
            // Examples import from the package, whose name says what it is for.
            let text = line.to_lowercase().replace(PACKAGE, "");
            if text.contains(word) {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
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
        assert_eq!(lines_with(folder, "astra"), Vec::<String>::new());
    }
}

#[test]
fn the_astra_client_does_not_name_vault() {
    assert_eq!(lines_with("src/astra", "vault"), Vec::<String>::new());
}
