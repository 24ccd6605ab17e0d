//! Actions of a policy, and which of them let a token make a credential that lasts.
//!
//! By hand, as no library knows them: a pattern is judged by all that it could match.

/// Actions by which the holder of a token can make a credential that outlives that token: tokens and
/// roles; users, who may be made administrators; a single sign-on of its own; a database's password
/// (docs/internals/astra-api.md, "Roles").
const LASTING: [&str; 6] = [
    "org-admin",
    "org-db-passwordreset",
    "org-external-auth-write",
    "org-role-write",
    "org-token-write",
    "org-user-write",
];

/// Whether `action` is written as the API's documents write them: lower-case letters, digits and
/// hyphens, and `*` for anything.  Whether Astra ignores case, or knows other wildcards, is unknown.
pub(super) fn is_plain(action: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'*');
    !action.is_empty() && action.bytes().all(allowed)
}

/// Whether a holder of `action` can make a credential that lasts.  One that is not plain after its
/// case is folded counts, as nothing says what Astra makes of it.
pub(super) fn is_lasting(action: &str) -> bool {
    let folded = action.to_ascii_lowercase();
    !is_plain(&folded) || LASTING.iter().any(|lasting| covers(&folded, lasting))
}

/// Whether `pattern`, in which an asterisk stands for anything, covers `action`, whatever the case.
pub(super) fn covers(pattern: &str, action: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let action = action.to_ascii_lowercase();
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == action;
    };
    let Some(mut left) = action.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::LASTING;
    use super::covers;
    use super::is_lasting;
    use super::is_plain;

    /// The actions of the permissions reference that are not in the list.
    const OTHERS: [&str; 24] = [
        "accesslist-read",
        "accesslist-write",
        "db-all-keyspace-describe",
        "db-cql",
        "db-graphql",
        "db-keyspace-create",
        "db-manage-region",
        "db-rest",
        "db-table-modify",
        "org-audits-read",
        "org-billing-write",
        "org-cmk-write",
        "org-db-create",
        "org-db-expand",
        "org-db-suspend",
        "org-db-terminate",
        "org-db-view",
        "org-external-auth-read",
        "org-notification-write",
        "org-read",
        "org-role-delete",
        "org-role-read",
        "org-token-read",
        "org-user-read",
    ];

    #[test]
    fn a_lasting_action_is_found_in_every_spelling() {
        for action in LASTING {
            assert!(is_lasting(action), "{action}");
            assert!(is_lasting(&action.to_uppercase()), "{action}");
            for cut in 0..=action.len() {
                let (start, end) = action.split_at(cut);
                let upper = start.to_uppercase();
                for written in [
                    format!("{start}*"),
                    format!("*{end}"),
                    format!("{start}*{end}"),
                    format!("{upper}*"),
                    format!("{upper}{end}"),
                    format!("*{start}*{end}*"),
                ] {
                    assert!(is_lasting(&written), "{written}");
                }
                for odd in [
                    '\u{200b}', '?', ' ', '_', '\u{430}', '\u{ff0a}', '\u{131}', '\0',
                ] {
                    let written = format!("{start}{odd}{end}");
                    assert!(is_lasting(&written) && !is_plain(&written), "{written:?}");
                }
            }
        }
        assert!(is_lasting(""));
    }

    #[test]
    fn other_actions_are_not_lasting_nor_their_own_patterns() {
        for action in OTHERS {
            assert!(is_plain(action), "{action}");
            assert!(!is_lasting(action), "{action}");
            assert!(!is_lasting(&action.to_uppercase()), "{action}");
            assert!(!is_lasting(&format!("{action}*")), "{action}");
        }
        for pattern in ["db-*", "org-role-r*", "*-read", "org-*-read", "org-db-v*"] {
            assert!(!is_lasting(pattern), "{pattern}");
        }
        for pattern in [
            "*",
            "org-*",
            "*-write",
            "org-*-write",
            "o*g*w*e",
            "org-db-*",
            "**",
        ] {
            assert!(is_lasting(pattern), "{pattern}");
        }
    }

    proptest! {
        /// Whatever is cut out of an action and replaced by asterisks still covers it.
        #[test]
        fn an_asterisk_stands_for_anything(from in 0_usize..12, length in 0_usize..8, again in 0_usize..9) {
            for action in LASTING {
                let start = from.min(action.len());
                let end = (start + length).min(action.len());
                let pattern = format!("{}*{}", &action[..start], &action[end..]);
                assert!(covers(&pattern, action), "{pattern}");
                let second = again.min(pattern.len());
                let pattern = format!("{}*{}", &pattern[..second], &pattern[second..]);
                assert!(covers(&pattern, action), "{pattern}");
            }
        }
    }
}
