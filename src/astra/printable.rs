//! Text from outside, made fit for a message: one line, bounded, without credentials.
//!
//! By hand, as what is cut out (application tokens) is ours to know.

/// The most that is kept of an error's text, in bytes.
pub(super) const KEPT: usize = 2_048;

/// One line of printable text without credentials, at most [`KEPT`] bytes.
pub(super) fn clean(text: &str) -> String {
    let mut kept = String::new();
    // A text is cut before it is searched, with room for what cleaning removes.
    let bounded: String = text.chars().take(2 * KEPT).collect();
    for word in redact(&bounded).split(|c: char| c.is_whitespace() || is_invisible(c)) {
        if word.is_empty() {
            continue;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(word);
    }
    truncate(&mut kept);
    kept
}

/// Control characters and those that change the direction or the join of what is shown.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn truncate(text: &mut String) {
    if text.len() <= KEPT {
        return;
    }
    let mut end = KEPT - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push('…');
}

/// A proxy may echo the request's headers, so whatever looks like a token is cut out, also where its colons are
/// encoded as in a URL.
pub(crate) fn redact(text: &str) -> String {
    const PREFIX: &str = "AstraCS";
    let is_part =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '%' | '.' | ',' | '+' | '_' | '-');
    let mut parts = text.split(PREFIX);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(PREFIX);
        let encoded = Some(part).filter(|part| part.starts_with('%'));
        let Some(token) = part.strip_prefix(':').or(encoded) else {
            out.push_str(part);
            continue;
        };
        out.push(':');
        let rest = token.trim_start_matches(is_part);
        if rest.len() < token.len() {
            out.push_str("[redacted]");
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::KEPT;
    use super::clean;
    use super::redact;

    #[test]
    fn keeps_two_kibibytes() {
        let text = clean(&"é".repeat(4_000));
        assert!(text.len() <= KEPT && text.ends_with('…'), "{}", text.len());
    }

    #[test]
    fn tokens_are_cut_out_also_where_their_colons_are_encoded() {
        for (text, expected) in [
            ("is AstraCS:a:0 known", "is AstraCS:[redacted] known"),
            ("?t=AstraCS%3Aa%3A0&x=1", "?t=AstraCS:[redacted]&x=1"),
            ("?t=AstraCS%3aa%3a0&x=1", "?t=AstraCS:[redacted]&x=1"),
            ("AstraCS%253Aa%253A0", "AstraCS:[redacted]"),
            ("begins with \"AstraCS:\"", "begins with \"AstraCS:\""),
            ("AstraCS is no token", "AstraCS is no token"),
        ] {
            assert_eq!(redact(text), expected);
            assert_eq!(redact(expected), expected);
        }
    }

    proptest! {
        #[test]
        fn text_is_bounded(text in any::<String>()) {
            let text = clean(&format!("<title>{text}"));
            assert!(text.len() <= KEPT && !text.contains(char::is_control));
        }
    }
}
