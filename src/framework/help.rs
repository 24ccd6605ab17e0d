//! The texts of `path-help`.

use super::path::Route;

/// Texts are broken so that they fit a terminal of so many columns; the host prints them as they are.
const COLUMNS: usize = 80;

/// The root's help: the engine and its paths.
pub(crate) fn root<E>(description: &str, routes: &[Route<E>]) -> String {
    let mut paths: Vec<_> = routes
        .iter()
        .map(|route| (route.pattern.go.as_str(), route.synopsis))
        .collect();
    paths.sort_unstable();
    let paths = paths.iter().map(|(pattern, synopsis)| {
        let synopsis = or(synopsis, "<no synopsis>");
        format!("{}\n{}", indented(pattern, 4), indented(synopsis, 8))
    });
    let blocks = [
        "## DESCRIPTION".to_owned(),
        indented(or(description, "<no description>"), 0),
        "## PATHS".to_owned(),
        "The following paths are supported below the mount. For the help of one of them,\n\
         ask for help on any path that matches its pattern. Policies decide which of them\n\
         a token may use."
            .to_owned(),
    ];
    blocks
        .into_iter()
        .chain(paths)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The help of the path that `request` matches.
pub(crate) fn path<E>(request: &str, route: &Route<E>) -> String {
    let mut blocks = vec![
        format!(
            "Request:        {request}\nMatching Route: {}",
            route.pattern.go
        ),
        indented(or(route.synopsis, "<no synopsis>"), 0),
    ];
    let mut fields = route.schema.iter().peekable();
    if fields.peek().is_some() {
        blocks.push("## PARAMETERS".to_owned());
    }
    for field in fields {
        blocks.push(indented(
            &format!("{} ({})", field.name, field.kind.as_str()),
            4,
        ));
        let mark = if field.deprecated {
            "(DEPRECATED) "
        } else {
            ""
        };
        let description = format!("{mark}{}", or(field.description, "<no description>"));
        blocks.push(indented(&description, 8));
    }
    blocks.push("## DESCRIPTION".to_owned());
    blocks.push(indented(or(route.help, "<no description>"), 0));
    blocks.join("\n\n").trim().to_owned()
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    match text.trim() {
        "" => otherwise,
        text => text,
    }
}

/// The lines of `text`, each behind `by` spaces and broken between words where it is too long.
fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().flat_map(|line| broken(line, COLUMNS - by));
    let lines = lines.map(|line| match line.as_str() {
        "" => line,
        _ => format!("{}{line}", " ".repeat(by)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One line as several of at most `columns` characters; a word that is longer stays whole.
fn broken(line: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(last) if used + 1 + length <= columns => {
                last.push(' ');
                last.push_str(word);
                used += 1 + length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = format!(
            "{} end\n  list\n\n{}",
            "word ".repeat(15).trim(),
            "x".repeat(90)
        );
        let long = "x".repeat(90);
        let words = "word ".repeat(15);
        assert_eq!(
            indented(&text, 0),
            format!("{} end\n  list\n\n{long}", words.trim())
        );
        let fourteen = "word ".repeat(14);
        assert_eq!(
            indented(&text, 8),
            format!(
                "        {}\n        word end\n          list\n\n        {long}",
                fourteen.trim()
            )
        );
    }
}
