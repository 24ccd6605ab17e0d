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
    /// At least one entry has a description.
    Listed,
    /// Entries have the key `description`, and no text in it, as tokens made by hand have none.
    Empty,
    /// There are entries, and none has the key: tags cannot be found in this organization.
    Missing,
    /// A token that was made with a description is listed without it, and no other has one: tags cannot
    /// be found either.
    Hidden,
}

impl Descriptions {
    /// Whether tags cannot be found in this organization.
    pub fn are_missing(self) -> bool {
        matches!(self, Self::Missing | Self::Hidden)
    }

    /// What is known after one more list: that one is hidden stays true until a list has one.
    pub(super) fn after(self, list: Self) -> Self {
        match (self, list) {
            (Self::Hidden, Self::Unknown | Self::Empty | Self::Missing) => Self::Hidden,
            (_, list) => list,
        }
    }
}

/// What the entries of a list, one after the other, show of descriptions.
#[derive(Default)]
pub(super) struct DescriptionEvidence {
    /// A token that was made with a description.
    described: Option<String>,
    is_hidden: bool,
    texts: usize,
    empty: usize,
    keyless: usize,
}

impl DescriptionEvidence {
    /// Of a list that may show `described`, the id of a token that was made with a description.
    pub(super) fn new(described: Option<String>) -> Self {
        Self {
            described,
            ..Self::default()
        }
    }

    /// One more entry; `description` is `None` where it has no such key.
    pub(super) fn add(&mut self, client_id: &str, description: Option<&str>) {
        let is_text = description.is_some_and(|text| !text.is_empty());
        self.is_hidden |= !is_text && self.described.as_deref() == Some(client_id);
        *match description {
            Some(_) if is_text => &mut self.texts,
            Some(_) => &mut self.empty,
            None => &mut self.keyless,
        } += 1;
    }

    /// What the whole list shows.
    pub(super) fn verdict(&self) -> Descriptions {
        match self {
            // An answer that named another token is no reason to distrust what lists do show.
            Self { texts: 1.., .. } => Descriptions::Listed,
            Self {
                is_hidden: true, ..
            } => Descriptions::Hidden,
            Self { empty: 1.., .. } => Descriptions::Empty,
            Self { keyless: 1.., .. } => Descriptions::Missing,
            _ => Descriptions::Unknown,
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

    use super::DescriptionEvidence;
    use super::Descriptions;
    use super::ListFacts;

    #[test]
    fn one_description_is_enough_and_no_entry_says_nothing() {
        for (entries, expected) in [
            (vec![], Descriptions::Unknown),
            (vec![None, None], Descriptions::Missing),
            (vec![None, Some("text"), None], Descriptions::Listed),
            (vec![Some("text")], Descriptions::Listed),
            (vec![Some("")], Descriptions::Empty),
            (vec![None, Some("")], Descriptions::Empty),
        ] {
            let mut seen = DescriptionEvidence::new(Some("elsewhere".to_owned()));
            entries.iter().for_each(|entry| seen.add("id", *entry));
            assert_eq!(seen.verdict(), expected, "{entries:?}");
        }
    }

    #[test]
    fn a_token_that_was_made_with_a_description_is_to_be_listed_with_it() {
        for (other, own, expected) in [
            (Some(""), None, Descriptions::Hidden),
            (Some(""), Some(""), Descriptions::Hidden),
            (Some(""), Some("text"), Descriptions::Listed),
            // The answer to the create was about another token.
            (Some("text"), Some(""), Descriptions::Listed),
        ] {
            let mut seen = DescriptionEvidence::new(Some("own".to_owned()));
            seen.add("other", other);
            seen.add("own", own);
            assert_eq!(seen.verdict(), expected, "{other:?} {own:?}");
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
