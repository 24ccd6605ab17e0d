//! `docs/sdk.md` explains `examples/hello_plugin.rs` from its first line to its last.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_code_of_the_page_is_the_example() {
    let page = read("docs/sdk.md");
    let blocks: Vec<&str> = page
        .split("\n```rust\n")
        .skip(1)
        .filter_map(|block| block.split("\n```\n").next())
        .collect();
    let example = read("examples/hello_plugin.rs");
    // The file says in its first lines what it is; the page does so in its own way.
    let (_, code) = example.split_once("\n\n").expect("code after the header");
    assert_eq!(blocks.join("\n\n"), code.trim_end());
}
