//! Every fenced block of the pages says what it is. A page with a block that is `shell` is read by an
//! end-to-end test, which runs it; `text` is not run.

use std::fs;
use std::path::Path;

/// Its blocks for a shell say nothing: `tests/e2e/recipes` and `scripts/consumers` find them so.
const WITHOUT: &str = "recipes.md";
const KINDS: &[&str] = &[
    "bash",
    "hcl",
    "json",
    "mermaid",
    "rust",
    "shell",
    "shell-session",
    "text",
    "yaml",
];

/// The lines of `page` on which a block begins that is of no known kind.
fn unmarked(page: &str) -> Vec<usize> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (line, number) in page.lines().zip(1..) {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        if !is_inside && !KINDS.contains(&kind) {
            found.push(number);
        }
        is_inside = !is_inside;
    }
    assert!(!is_inside, "a block without an end");
    found
}

/// The sources of the end-to-end tests.
fn end_to_end_tests(root: &Path) -> String {
    let mut text = String::new();
    for folder in ["tests/e2e", "tests/e2e/takeover"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_block_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = end_to_end_tests(root);
    let mut seen = 0;
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if !is_page || path.ends_with(WITHOUT) {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        if page.contains("\n```shell\n") {
            let name = format!("/docs/{}\")", path.file_name().unwrap().display());
            assert!(tests.contains(&name), "{name}: no test reads it");
            seen += 1;
        }
        assert_eq!(unmarked(&page), Vec::<usize>::new(), "{}", path.display());
    }
    assert!(seen > 5, "only {seen} pages with blocks for a shell");
}

#[test]
fn a_block_of_no_kind_is_found() {
    assert_eq!(unmarked("a\n```\nb\n```\n```shell\nc\n```\n"), [2]);
}
