//! Descriptions that differ by a number.

use crate::error::Error;

/// A text with places for a number.
pub(crate) struct Numbered<'a>(Vec<Part<'a>>);

enum Part<'a> {
    Text(&'a str),
    Decimal,
    /// Twelve hexadecimal digits.
    Hexadecimal,
}

impl<'a> Numbered<'a> {
    /// Reads a text in which `{n}` and `{hex}` stand for the number.
    ///
    /// # Errors
    ///
    /// There is a brace that belongs to neither.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, place) = rest.split_at(at);
            parts.push(Part::Text(before));
            let places = [("{n}", Part::Decimal), ("{hex}", Part::Hexadecimal)];
            let found = places
                .into_iter()
                .find_map(|(name, part)| Some((part, place.strip_prefix(name)?)));
            let (part, after) = found.ok_or_else(|| {
                Error::Invalid("description: in braces there is {n} or {hex} only".into())
            })?;
            parts.push(part);
            rest = after;
        }
        parts.push(Part::Text(rest));
        Ok(Self(parts))
    }

    /// The text with `number`.
    pub(crate) fn of(&self, number: usize) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Decimal => number.to_string(),
            Part::Hexadecimal => format!("{number:012x}"),
        });
        parts.collect()
    }
}
