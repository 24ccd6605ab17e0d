//! Tables in Markdown.

/// The cells of every row of every table, without headings.
pub(crate) fn rows(document: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut is_body = false;
    for line in document.lines() {
        let Some(cells) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            is_body = false;
            continue;
        };
        if cells.chars().all(|char| "-:| ".contains(char)) {
            is_body = true;
        } else if is_body {
            rows.push(
                cells
                    .split('|')
                    .map(|cell| cell.trim().to_owned())
                    .collect(),
            );
        }
    }
    rows
}

/// The code spans in `cell`.
pub(crate) fn spans(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let from = &rest[start..];
        let fence = &from[..from.len() - from.trim_start_matches('`').len()];
        let inside = &from[fence.len()..];
        let end = inside.find(fence).expect("a code span that ends");
        found.push(inside[..end].trim().to_owned());
        rest = &inside[end + fence.len()..];
    }
    found
}

#[test]
fn rows_and_spans_are_found() {
    let document = "| a | b |\n|---|---|\n| `x`, ``y `z` `` | w |\n\ntext | no\n";
    let rows = rows(document);
    assert_eq!(rows, [["`x`, ``y `z` ``", "w"]]);
    assert_eq!(spans(&rows[0][0]), ["x", "y `z`"]);
}
