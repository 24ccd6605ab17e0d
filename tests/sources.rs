//! The sources of the plugin, for the tests that read them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use syn::Attribute;

/// All sources at or below `path` but those of tests, each with its name; both relative to the package.
pub(crate) fn parsed(path: &str) -> Vec<(String, syn::File)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parse = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a readable source");
        let syntax =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.strip_prefix(root).expect("a file of the package");
        (name.display().to_string(), syntax)
    };
    files(&root.join(path)).into_iter().map(parse).collect()
}

/// All sources at or below `path` but those of tests.
fn files(path: &Path) -> Vec<PathBuf> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    if matches!(stem, Some("tests" | "testing")) {
        return Vec::new();
    }
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<PathBuf> = entries
        .flat_map(|entry| files(&entry.expect("a readable folder").path()))
        .collect();
    files.sort();
    files
}

/// Whether something is there for tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string().starts_with("test"))
    })
}
