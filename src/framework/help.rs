//! The texts of `path-help`.

use super::path::Route;

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
        or(description, "<no description>").to_owned(),
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
        or(route.synopsis, "<no synopsis>").to_owned(),
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
    blocks.push(or(route.help, "<no description>").to_owned());
    blocks.join("\n\n").trim().to_owned()
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    match text.trim() {
        "" => otherwise,
        text => text,
    }
}

fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    let lines = text.lines().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!("{indent}{line}")
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
