//! What became of a request to delete something.

use super::list_facts::ListFacts;
use super::organization::is_same_organization;

/// How the deletion ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// It is not there, and perhaps was not before: a complete list of its kind does not have it.
    AlreadyAbsent(Absence),
    /// It is deleted now.
    Deleted,
}

/// What shows that something was absent.  It is evidence for one organization and one time only: in
/// another organization it may live, and something just made may not be listed yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Absence {
    /// The list.
    pub list: ListFacts,
    /// The organization whose list it is, as Astra names it for this client's root token.  For tokens
    /// it is always there; `None` where a role was looked for and nothing had asked for it yet.
    pub org_id: Option<String>,
}

impl Absence {
    /// Whether it shows that what was made in `org_id` at `generated_on` is gone: the list is of that
    /// organization, and was answered at least `window` after it was made, by Astra's two times.
    pub fn proves(
        &self,
        org_id: &str,
        generated_on: Option<time::OffsetDateTime>,
        window: std::time::Duration,
    ) -> bool {
        let of_it = self.org_id.as_deref();
        of_it.is_some_and(|listed| is_same_organization(listed, org_id))
            && self
                .list
                .age_of(generated_on)
                .is_some_and(|age| age >= window)
    }
}

impl Deletion {
    /// What shows that it was absent before, unless it was deleted.
    pub fn absence(&self) -> Option<&Absence> {
        match self {
            Self::AlreadyAbsent(absence) => Some(absence),
            Self::Deleted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;
    use tokio::time::Instant;

    use super::Absence;
    use crate::astra::Descriptions;
    use crate::astra::ListFacts;

    #[tokio::test]
    async fn absence_is_proved_for_one_organization_and_only_after_a_while() {
        let made = datetime!(2026-11-24 12:00 UTC);
        let window = Duration::from_secs(120);
        let absence = |org_id: Option<&str>, after| Absence {
            list: ListFacts {
                began: Instant::now(),
                answered_at: Some(made + Duration::from_secs(after)),
                descriptions: Descriptions::Listed,
                entries: 3,
            },
            org_id: org_id.map(str::to_owned),
        };
        for (absence, generated_on, expected) in [
            (absence(Some("a"), 120), Some(made), true),
            (absence(Some("A"), 999), Some(made), true),
            (absence(Some("a"), 119), Some(made), false),
            (absence(Some("b"), 999), Some(made), false),
            (absence(None, 999), Some(made), false),
            (absence(Some("a"), 999), None, false),
        ] {
            assert_eq!(
                absence.proves("a", generated_on, window),
                expected,
                "{absence:?}"
            );
        }
    }
}
