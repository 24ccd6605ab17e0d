//! What a token's description in Astra says: for whom it was minted, and the tag by which the
//! engine finds it again.

use std::fmt::Write;

use super::Tag;

/// What an organization keeps of a description (docs/internals/astra-api.md).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DescriptionForm {
    /// 255 bytes of UTF-8: what is assumed until an organization shows otherwise.
    Full,
    /// 120 bytes of printable ASCII: what every organization has kept.
    Plain,
}

/// For whom a token is minted, in words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purpose<'a> {
    /// The role's name.
    pub role: &'a str,
    /// The caller's display name.
    pub caller: &'a str,
    /// Why the caller wants it.
    pub reason: &'a str,
    /// The role's own text.
    pub text: &'a str,
}

/// A description, and what became of the reason in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Description {
    /// The description.
    pub text: String,
    /// How many bytes of the reason are in it.
    reason_kept: usize,
    /// Whether characters of the reason were replaced.
    reason_changed: bool,
    /// How many bytes of the role's own text are in it.
    text_kept: usize,
}

/// What stands for a character that cannot be kept.
const REPLACED: char = '?';

impl DescriptionForm {
    fn limit(self) -> usize {
        match self {
            Self::Full => 255,
            Self::Plain => 120,
        }
    }

    fn keeps(self, char: char) -> bool {
        match self {
            Self::Full => !char.is_control(),
            Self::Plain => (' '..='~').contains(&char),
        }
    }

    /// What marks a text that was cut.
    fn mark(self) -> char {
        match self {
            Self::Full => '…',
            Self::Plain => '~',
        }
    }

    /// Whether `text` could be kept in no other form than this.
    pub(crate) fn is_needed_for(self, text: &str) -> bool {
        let plain = Self::Plain;
        self == Self::Full
            && (text.len() > plain.limit() || !text.chars().all(|char| plain.keeps(char)))
    }
}

impl Description {
    /// The tag, then role, caller, reason and the role's own text, as far as there is room.
    ///
    /// Nothing else keeps the reason, so it comes before the caller, which the audit log has, and the
    /// role, which the tag tells; a fifth and an eighth of the room are theirs all the same.
    pub(crate) fn new(tag: &Tag, purpose: Purpose<'_>, form: DescriptionForm) -> Self {
        let mut text = String::with_capacity(form.limit());
        // Writing to a String cannot fail.
        let _ = write!(text, "{tag}");
        let room = form.limit().saturating_sub(text.len());
        let need = |before: &str, words: &str| match words.is_empty() {
            true => 0,
            false => before.len() + words.len(),
        };
        let (role, caller) = (need(" ", purpose.role), need(" by ", purpose.caller));
        let kept = role.min(room / 5) + caller.min(room / 8);
        let reason = need(" for ", purpose.reason).min(room.saturating_sub(kept));
        let kept = caller.min(room / 8) + reason;
        let role = role.min(room.saturating_sub(kept));
        let caller = caller.min(room.saturating_sub(role + reason));
        push(&mut text, " ", purpose.role, role, form);
        push(&mut text, " by ", purpose.caller, caller, form);
        let reason_kept = push(&mut text, " for ", purpose.reason, reason, form);
        let left = form.limit().saturating_sub(text.len());
        let text_kept = push(&mut text, " ", purpose.text, left, form);
        text.truncate(text.trim_end().len());
        Self {
            text,
            reason_kept,
            reason_changed: !purpose.reason.chars().all(|char| form.keeps(char)),
            text_kept,
        }
    }

    /// What who writes a role should know of its own `text`, which goes into each description beside the
    /// name of the `role`.
    pub(crate) fn text_warning(role: &str, text: &str) -> Option<String> {
        let purpose = Purpose {
            role,
            text,
            ..Purpose::default()
        };
        let form = DescriptionForm::Full;
        let kept = Self::new(&Tag::long(), purpose, form).text_kept;
        if kept < text.len() {
            return Some(format!(
                "description: only its first {kept} of {} bytes fit into a token's description in \
                 Astra, and fewer beside a caller and a reason: give a shorter one",
                text.len()
            ));
        }
        (!text.chars().all(|char| form.keeps(char))).then(|| {
            format!(
                "description: line breaks and other characters that are not shown are \
                 \"{REPLACED}\" in a token's description in Astra"
            )
        })
    }

    /// What the caller should know about the reason, once the organization has kept `echoed` of the
    /// description.
    pub(crate) fn warning(&self, reason: &str, echoed: Option<&str>) -> Option<String> {
        let lost = match echoed {
            Some(echoed) if self.text.starts_with(echoed) => self.text.len() - echoed.len(),
            _ => 0,
        };
        let kept = self.reason_kept.saturating_sub(lost);
        if kept < reason.len() {
            return Some(format!(
                "reason: only its first {kept} of {} bytes fit into the token's description in \
                 Astra, and nothing else keeps the rest: give a shorter one",
                reason.len()
            ));
        }
        self.reason_changed.then(|| {
            format!(
                "reason: line breaks and characters that the organization does not keep are \
                 \"{REPLACED}\" in the token's description"
            )
        })
    }
}

/// Adds `words` after `before`, in at most `room` bytes, and tells how many bytes of them.
fn push(text: &mut String, before: &str, words: &str, room: usize, form: DescriptionForm) -> usize {
    let mark = form.mark();
    let Some(room) = room.checked_sub(before.len()).filter(|_| !words.is_empty()) else {
        return 0;
    };
    let is_cut = words.len() > room;
    let room = match is_cut {
        true => room.saturating_sub(mark.len_utf8()),
        false => room,
    };
    let begin = text.len();
    text.push_str(before);
    let mut kept = 0;
    for char in words.chars() {
        if kept + char.len_utf8() > room {
            break;
        }
        kept += char.len_utf8();
        text.push(if form.keeps(char) { char } else { REPLACED });
    }
    match (kept, is_cut) {
        (0, _) => text.truncate(begin),
        (_, true) => text.push(mark),
        (_, false) => {}
    }
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::intent::BlockId;
    use crate::engine::intent::MountId;
    use crate::engine::intent::Owner;
    use crate::engine::intent::RequestMark;

    const FORMS: [DescriptionForm; 2] = [DescriptionForm::Full, DescriptionForm::Plain];

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

    fn purpose<'a>(role: &'a str, caller: &'a str, reason: &'a str, text: &'a str) -> Purpose<'a> {
        Purpose {
            role,
            caller,
            reason,
            text,
        }
    }

    #[test]
    fn a_plain_description_has_120_characters() {
        let full = DescriptionForm::Full;
        for (length, is_needed) in [(119, false), (120, false), (121, true), (122, true)] {
            assert_eq!(
                full.is_needed_for(&"a".repeat(length)),
                is_needed,
                "{length}"
            );
        }
        assert!(full.is_needed_for("ü"));
        assert!(!DescriptionForm::Plain.is_needed_for("ü"));
    }

    #[test]
    fn another_text_than_a_beginning_tells_nothing_of_the_reason() {
        let purpose = purpose("reader", "ci", "OPS-1", "");
        let full = Description::new(&tag(), purpose, DescriptionForm::Full);
        for echoed in ["", "another text"] {
            let is_told = full.warning("OPS-1", Some(echoed)).is_some();
            assert_eq!(is_told, echoed.is_empty(), "{echoed}");
        }
        assert_eq!(full.warning("OPS-1", Some(&"longer ".repeat(90))), None);
    }

    #[test]
    fn the_tag_comes_first_and_the_rest_in_order() {
        let tag = tag();
        for form in FORMS {
            let full = Description::new(&tag, purpose("reader", "ci", "OPS-1", "nightly"), form);
            assert_eq!(full.text, format!("{tag} reader by ci for OPS-1 nightly"));
            assert_eq!(full.warning("OPS-1", Some(&full.text)), None);
            let least = Description::new(&tag, purpose("reader", "", "", ""), form);
            assert_eq!(least.text, format!("{tag} reader"));
        }
    }

    #[test]
    fn the_reason_outlives_a_long_role_and_a_long_caller() {
        let role = "team-payments-europe-west1-production-order-service-readonly-a";
        let caller = "oidc-some.very.long.name@an-organization-with-a-long-name.example.com";
        let reason = "https://gitlab.example.com/platform/payments-service/-/jobs/1234567890";
        let of = purpose(role, caller, reason, "text");
        let full = Description::new(&tag(), of, DescriptionForm::Full);
        assert!(
            full.text.contains(&format!(" for {reason}")),
            "{}",
            full.text
        );
        assert_eq!(full.warning(reason, None), None);
        let plain = Description::new(&tag(), of, DescriptionForm::Plain);
        let warning = plain.warning(reason, None).unwrap();
        assert!(warning.starts_with("reason: only its first "), "{warning}");
        // What a row of the organization's kept less of, is told too.
        let echoed = full.text.get(..full.text.len() - 30).unwrap();
        let warning = full.warning(reason, Some(echoed)).unwrap();
        assert!(warning.contains("of 70 bytes fit"), "{warning}");
    }

    #[test]
    fn characters_of_every_language_are_kept_unless_the_organization_does_not() {
        let reason = "原因調査 José";
        let full = Description::new(&tag(), purpose("r", "c", reason, ""), DescriptionForm::Full);
        assert!(full.text.ends_with(" for 原因調査 José"), "{}", full.text);
        assert_eq!(full.warning(reason, Some(&full.text)), None);
        let plain = Description::new(
            &tag(),
            purpose("r", "c", reason, ""),
            DescriptionForm::Plain,
        );
        assert!(plain.text.ends_with(" for ???? Jos?"), "{}", plain.text);
        assert_eq!(
            plain.warning(reason, Some(&plain.text)).unwrap(),
            "reason: line breaks and characters that the organization does not keep are \"?\" in \
             the token's description"
        );
        assert!(DescriptionForm::Full.is_needed_for(&full.text));
        assert!(!DescriptionForm::Full.is_needed_for(&plain.text));
    }

    #[test]
    fn a_text_that_does_not_fit_is_told_of() {
        let told = Description::text_warning;
        assert_eq!(told("reader", ""), None);
        assert_eq!(told("reader", "日本 José, nightly"), None);
        assert_eq!(
            told("reader", "a\nb").unwrap(),
            "description: line breaks and other characters that are not shown are \"?\" in a \
             token's description in Astra"
        );
        let long = "x".repeat(400);
        let warning = told("reader", &long).unwrap();
        assert!(
            warning.starts_with("description: only its first 1")
                && warning.contains(" of 400 bytes"),
            "{warning}"
        );
        // Where nothing is told, nothing is cut: no tag is longer than the one that was tried.
        for length in 100..200 {
            let text = "x".repeat(length);
            let written = Description::new(
                &tag(),
                purpose("reader", "", "", &text),
                DescriptionForm::Full,
            );
            let is_whole = written.text.ends_with(&format!(" {text}"));
            assert!(is_whole || told("reader", &text).is_some(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_tag_survives(role: String, who: String, reason: String, text: String) {
            let tag = tag();
            for form in FORMS {
                let description = Description::new(&tag, purpose(&role, &who, &reason, &text), form);
                prop_assert!(description.text.len() <= form.limit());
                prop_assert!(description.text.chars().all(|char| form.keeps(char) || char == form.mark()));
                prop_assert_eq!(Tag::parse(&description.text), Some(tag));
            }
        }

        #[test]
        fn a_reason_is_whole_or_there_is_a_warning(role in ".{0,100}", who in ".{0,100}", reason in "\\PC{1,300}") {
            let description = Description::new(&tag(), purpose(&role, &who, &reason, ""), DescriptionForm::Full);
            let is_whole = description.text.contains(&format!(" for {}", reason.trim_end()));
            prop_assert!(is_whole || description.warning(&reason, None).is_some());
        }
    }
}
