//! What a complete list shows beside its entries.

use time::OffsetDateTime;
use tokio::time::Instant;

/// What a list of tokens or roles, read to its end, is evidence of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListFacts {
    /// When it was asked for, by this process' clock: it shows every change that Astra had taken in
    /// by then.
    pub began: Instant,
    /// When it was answered, by the clock of Astra (the header `Date`), in whole seconds.
    pub answered_at: Option<OffsetDateTime>,
    /// Whether its entries have descriptions.
    pub descriptions: Descriptions,
    /// How many entries it has.
    pub entries: usize,
}

/// Whether the organization's token list has descriptions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Descriptions {
    /// There is no entry to learn it from.
    #[default]
    Unknown,
    /// At least one entry has the key `description`.
    Listed,
    /// There are entries, and none has the key: tags cannot be found in this organization.
    Missing,
}

impl Descriptions {
    /// What is known after one more entry.
    pub(super) fn and(self, has_description: bool) -> Self {
        match (self, has_description) {
            (_, true) | (Self::Listed, _) => Self::Listed,
            (Self::Unknown | Self::Missing, false) => Self::Missing,
        }
    }
}

impl ListFacts {
    /// How old something made at `generated_on` was when the list was answered, by Astra's two times
    /// alone; `None` where one of them is missing.
    pub fn age_of(&self, generated_on: Option<OffsetDateTime>) -> Option<std::time::Duration> {
        let age = self.answered_at? - generated_on?;
        // Made after the list was answered: as young as can be.
        Some(age.try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;
    use tokio::time::Instant;

    use super::Descriptions;
    use super::ListFacts;

    #[test]
    fn one_description_is_enough_and_no_entry_says_nothing() {
        for (entries, expected) in [
            (vec![], Descriptions::Unknown),
            (vec![false, false], Descriptions::Missing),
            (vec![false, true, false], Descriptions::Listed),
            (vec![true], Descriptions::Listed),
        ] {
            let seen = entries.iter().copied();
            let learned = seen.fold(Descriptions::default(), Descriptions::and);
            assert_eq!(learned, expected, "{entries:?}");
        }
    }

    #[tokio::test]
    async fn an_age_needs_both_of_astras_times_and_is_never_negative() {
        let facts = |answered_at| ListFacts {
            began: Instant::now(),
            answered_at,
            descriptions: Descriptions::Unknown,
            entries: 0,
        };
        let noon = datetime!(2026-11-24 12:00 UTC);
        let later = Some(noon + Duration::from_secs(90));
        assert_eq!(
            facts(later).age_of(Some(noon)),
            Some(Duration::from_secs(90))
        );
        assert_eq!(facts(Some(noon)).age_of(later), Some(Duration::ZERO));
        assert_eq!(facts(None).age_of(later), None);
        assert_eq!(facts(later).age_of(None), None);
    }
}
