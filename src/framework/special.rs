//! Matching special paths, as the host does.

/// Whether `path` is among `patterns`: a trailing `*` stands for any rest, a `+` for one segment.
pub(crate) fn contains(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, path))
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, is_prefix) = match pattern.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (pattern, false),
    };
    let mut wanted = pattern.split('/').peekable();
    let mut found = path.split('/');
    while let Some(segment) = wanted.next() {
        let Some(actual) = found.next() else {
            return false;
        };
        let is_last = wanted.peek().is_none();
        let fits = segment == "+"
            || segment == actual
            || (is_prefix && is_last && actual.starts_with(segment));
        if !fits {
            return false;
        }
    }
    is_prefix || found.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_the_host() {
        for (pattern, path, expected) in [
            ("config", "config", true),
            ("config", "config/a", false),
            ("config/*", "config/a", true),
            ("config/*", "config/a/b", true),
            ("config*", "config", true),
            ("config*", "configs", true),
            ("config/*", "config", false),
            ("rotate/+", "rotate/{name}", true),
            ("rotate/+", "rotate", false),
            ("rotate/+/now", "rotate/{name}/now", true),
            ("rotate/+/now", "rotate/{name}/later", false),
            ("*", "anything/at/all", true),
        ] {
            assert_eq!(
                contains(&[pattern.to_owned()], path),
                expected,
                "{pattern} {path}"
            );
        }
    }
}
