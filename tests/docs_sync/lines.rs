//! The lines of the documents end at column 100, and no cell of a table is longer than a screen's
//! line.

use std::fs;
use std::path::Path;

const WIDTH: usize = 100;
/// The longest cell, as it is shown.
const CELL: usize = 120;

/// Where documents are.
const FOLDERS: &[&str] = &["", "docs", "docs/internals", "emulator", "tests"];

/// Whether `line` could be broken: it is no row of a table, and it has a space outside of quotes and
/// code spans.
fn can_wrap(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with('|') {
        return false;
    }
    let mut inside = None;
    let mut is_escaped = false;
    for letter in line.chars() {
        match inside {
            None if letter == ' ' => return true,
            None => inside = ['"', '`'].into_iter().find(|quote| *quote == letter),
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if letter == '\\' => is_escaped = true,
            Some(quote) if letter == quote => inside = None,
            Some(_) => {}
        }
    }
    false
}

/// The longest cell of a table's row, without the targets of links.
fn longest_cell(line: &str) -> usize {
    let shown = |cell: &str| {
        let mut parts = cell.split("](");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + part.split_once(')').map_or(part, |(_, after)| after)
        })
    };
    let row = line.strip_prefix('|').unwrap_or_default();
    let cells = row
        .split('|')
        .map(|cell| shown(cell.trim()).chars().count());
    cells.max().unwrap_or_default()
}

fn is_too_long(line: &str) -> bool {
    if longest_cell(line) > CELL {
        return true;
    }
    line.chars().count() > WIDTH && can_wrap(line)
}

#[test]
fn lines_end_at_column_100() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut read = 0;
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry of a folder").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            read += 1;
            let text = fs::read_to_string(&path).expect("a document");
            for (number, line) in (1..).zip(text.lines()) {
                if is_too_long(line) {
                    found.push(format!("{}:{number}: {line}", path.display()));
                }
            }
        }
    }
    assert!(read > 15, "only {read} documents were read");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_what_can_be_broken_is_too_long() {
    let text = "word ".repeat(30);
    assert!(is_too_long(&text));
    assert!(is_too_long(&format!("- {text}")));
    assert!(is_too_long(&format!("`{text}` and")));
    assert!(!is_too_long(&text[..100]));
    assert!(!is_too_long(&format!(
        "| {} | {} |",
        &text[..CELL],
        &text[..CELL]
    )));
    assert!(is_too_long(&format!("| a | {text} |")));
    let link = format!(
        "| a | [{}](https://example.com/a/long/address) |",
        &text[..100]
    );
    assert!(!is_too_long(&link));
    assert!(!is_too_long(&format!("    \"{text} \\\" {text}\",")));
    assert!(!is_too_long(&format!("`{text}`.")));
}
