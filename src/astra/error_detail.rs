//! What Astra said about a failure.

use std::fmt;

use crate::duration_text::format_seconds;

/// The number with which Astra answers a token that does not exist, or does no longer.
pub(super) const UNKNOWN_TOKEN: i64 = 340_018;

/// Clocks that differ by less do not make Astra refuse a request.
const CLOCK_DIFFERENCE: u64 = 60;

/// What the API said about a failure: at most 2 KiB of printable text, without credentials.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Detail(Box<Said>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Said {
    ids: Vec<i64>,
    text: String,
    /// How many seconds this machine's clock is ahead of Astra's, if that is worth a word.
    clock: Option<i64>,
}

impl Detail {
    pub(super) fn new(ids: Vec<i64>, text: &str) -> Self {
        Self(Box::new(Said {
            ids,
            text: text.to_owned(),
            clock: None,
        }))
    }

    /// The same, for a refusal that may be due to clocks that differ by so many seconds.
    pub(super) fn with_clock(mut self, clock: Option<i64>) -> Self {
        self.0.clock = clock.filter(|seconds| seconds.unsigned_abs() >= CLOCK_DIFFERENCE);
        self
    }

    /// The API's own error numbers, for instance 340018.
    pub fn ids(&self) -> &[i64] {
        &self.0.ids
    }

    /// The API's own words, empty when it gave none.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether an error number says that the root token itself is missing, malformed or unknown
    /// (docs/internals/astra-api.md, "Error numbers").
    pub(super) fn blames_token(&self) -> bool {
        self.0
            .ids
            .iter()
            .any(|id| matches!(*id, 340_002 | 340_012 | 340_016 | UNKNOWN_TOKEN))
    }
}

/// Begins with a colon when there is anything to say, so that it can follow a sentence.
impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.text.is_empty() || !self.0.ids.is_empty() {
            formatter.write_str(": Astra says ")?;
        }
        if !self.0.text.is_empty() {
            write!(formatter, "{:?}", self.0.text)?;
        }
        for id in &self.0.ids {
            write!(formatter, " (error {id})")?;
        }
        let Some(clock) = self.0.clock else {
            return Ok(());
        };
        let word = if clock > 0 { "ahead of" } else { "behind" };
        write!(
            formatter,
            "; this node's clock is {} {word} Astra's: set it right",
            format_seconds(clock.saturating_abs())
        )
    }
}
