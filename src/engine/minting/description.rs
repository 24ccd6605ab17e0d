//! What a token's description in Astra says: for whom it was minted, and the tag by which the
//! engine finds it again.

use std::fmt::Write;

use crate::engine::intent::Tag;

/// The longest description whose full echo is relied on (docs/astra-api.md).
const LIMIT: usize = 120;

/// The tag, then role, caller, reason and the role's own text, as far as there is room.  Only
/// printable ASCII, since nothing promises more.
pub fn describe(
    tag: &Tag,
    role: &str,
    display_name: &str,
    reason: Option<&str>,
    text: &str,
) -> String {
    let mut description = String::with_capacity(LIMIT);
    // Writing to a String cannot fail.
    let _ = write!(description, "{tag}");
    for (before, words) in [
        (" ", role),
        (" by ", display_name),
        (" for ", reason.unwrap_or_default()),
        (" ", text),
    ] {
        if !words.is_empty() {
            let printable = |char: char| match char {
                ' '..='~' => char,
                _ => '?',
            };
            let room = LIMIT.saturating_sub(description.len());
            let added = before.chars().chain(words.chars().map(printable));
            description.extend(added.take(room));
        }
    }
    description.truncate(description.trim_end().len());
    description
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::intent::BlockId;
    use crate::engine::intent::MountId;
    use crate::engine::intent::Owner;
    use crate::engine::intent::RequestMark;

    fn tag() -> Tag {
        Tag {
            mount: MountId::random(),
            owner: Owner::of("default", "reader"),
            block: BlockId::random(),
            index: 1023,
            write: 4_000,
            request: RequestMark::of("id"),
        }
    }

    #[test]
    fn the_tag_comes_first_and_the_rest_in_order() {
        let tag = tag();
        let text = describe(&tag, "reader", "token-ci", Some("OPS-1"), "nightly");
        assert_eq!(text, format!("{tag} reader by token-ci for OPS-1 nightly"));
        assert_eq!(
            describe(&tag, "reader", "", None, ""),
            format!("{tag} reader")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_tag_survives(role: String, who: String, reason: Option<String>, text: String) {
            let tag = tag();
            let description = describe(&tag, &role, &who, reason.as_deref(), &text);
            prop_assert!(description.len() <= LIMIT);
            prop_assert!(description.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(Tag::parse(&description), Some(tag));
        }
    }
}
