//! The parameters of a request: which of them the operation takes, and what becomes of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use super::Fields;
use super::ineffective::Ineffective;
use super::ineffective::Unknown;
use super::path::PathOperation;
use super::path::Route;
use super::pattern::Captures;
use super::schema::convert;
use crate::vault::Error;
use crate::vault::Operation;

/// Moves the parameters that `operation` takes out of `data` and converts them.
///
/// # Errors
/// [`Error::BadRequest`] for a value that does not convert.
pub(crate) fn parse<E>(
    route: &Route<E>,
    operation: &Operation,
    captures: Captures<'_, '_>,
    data: &mut Map<String, Value>,
) -> Result<(Fields, Ineffective), Error> {
    let mut ineffective = Ineffective::default();
    for (name, _) in &captures {
        // Policies are written for paths, so a parameter never stands in for a capture, not even for
        // one that is absent.
        if data.remove(*name).is_some_and(|given| !given.is_null()) {
            ineffective.replaced.push((*name).to_owned());
        }
    }
    let mut values = BTreeMap::new();
    for field in route.schema.iter() {
        let captured = captures.iter().find(|(name, _)| *name == field.name);
        let value = match captured {
            Some((_, captured)) => captured.map(Value::from),
            None => data.remove(field.name),
        };
        let Some(value) = value else {
            continue;
        };
        if !takes(route, operation, field.name) {
            ineffective.add_unknown(route, operation, field.name.to_owned());
            continue;
        }
        let value = convert(field, value).map_err(|mismatch| {
            let cause = if field.sensitive {
                mismatch.without_value()
            } else {
                mismatch.to_string()
            };
            Error::BadRequest(format!(
                "Field validation failed: error converting input for field {:?}: {cause}",
                field.name
            ))
        })?;
        values.insert(field.name, value);
    }
    if !route.any_parameters {
        for name in data.keys() {
            ineffective.add_unknown(route, operation, name.clone());
        }
    }
    ineffective.sort();
    Ok((Fields::new(Arc::clone(&route.schema), values), ineffective))
}

/// Whether the field `name` of the path has an effect on `operation`.
fn takes<E>(route: &Route<E>, operation: &Operation, name: &str) -> bool {
    if route.pattern.captures.iter().any(|capture| capture == name) {
        return true;
    }
    let is_write = is_write(operation);
    route
        .schema
        .get(name)
        .is_some_and(|field| (is_write || field.query) && field.is_for(operation))
}

fn is_write(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Create | Operation::Patch | Operation::Update | Operation::Other(_)
    )
}

impl Ineffective {
    fn add_unknown<E>(&mut self, route: &Route<E>, operation: &Operation, name: String) {
        if is_write(operation) && route.is_shown(&name) {
            self.shown_only.push(name);
            return;
        }
        let captures = &route.pattern.captures;
        let known = route
            .schema
            .iter()
            .map(|field| field.name)
            .filter(|known| !captures.iter().any(|capture| capture == known))
            .filter(|known| takes(route, operation, known));
        self.unknown.push(Unknown {
            nearest: nearest(&name, known),
            name,
        });
    }

    fn sort(&mut self) {
        self.unknown.sort_by(|one, other| one.name.cmp(&other.name));
        self.shown_only.sort();
        self.replaced.sort();
    }
}

/// Of the `known` names the one most like `name`; `None` where none is like it at all.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = name.to_lowercase();
    known
        .map(|known| (likeness(&name, known), known))
        .filter(|((likeness, _), _)| *likeness > 0.2)
        .max_by(|((one, one_order), a), ((other, other_order), b)| {
            one.total_cmp(other)
                .then(one_order.total_cmp(other_order))
                .then(b.cmp(a))
        })
        .map(|(_, known)| known)
}

/// How alike two names are: in pairs of letters and in whole words, so that "default_ttl" finds "ttl",
/// which counting typing errors would not show; and between equals, in the order of their letters.
fn likeness(name: &str, known: &str) -> (f64, f64) {
    let common = known
        .split('_')
        .filter(|word| name.split(['_', '-']).any(|other| other == *word));
    let words = known.split('_').count();
    let of_words = common.count() as f64 / words as f64 / 2.0;
    (
        strsim::sorensen_dice(name, known) + of_words,
        strsim::jaro_winkler(name, known),
    )
}

impl<E> Route<E> {
    /// Whether a read of the path shows `name`.
    fn is_shown(&self, name: &str) -> bool {
        self.operations
            .iter()
            .filter(|declared| declared.operation == Operation::Read)
            .flat_map(PathOperation::shown)
            .any(|field| field.name == name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::nearest;

    #[test]
    fn a_mistyped_name_finds_the_one_that_was_meant() {
        let known = [
            "book_titles",
            "config",
            "database_id",
            "description",
            "dry_run",
            "force",
            "max_active",
            "max_ttl",
            "overlap",
            "reason",
            "region",
            "rotation_period",
            "rotation_schedule",
            "ttl",
        ];
        for (given, meant) in [
            ("default_ttl", Some("ttl")),
            ("max_lease_ttl", Some("max_ttl")),
            ("TTL", Some("ttl")),
            ("dryrun", Some("dry_run")),
            ("dry-run", Some("dry_run")),
            ("titles", Some("book_titles")),
            ("book_title", Some("book_titles")),
            ("period", Some("rotation_period")),
            ("db_id", Some("database_id")),
            ("reigon", Some("region")),
            ("overlpa", Some("overlap")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), meant, "{given}");
        }
    }
}
