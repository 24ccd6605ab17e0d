//! The parameters of a request: which of them the operation takes, and what becomes of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use super::Fields;
use super::path::PathOperation;
use super::path::Route;
use super::schema::convert;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;

/// What the template captured; an absent optional tail is `None`.
pub(crate) type Captures = Vec<(String, Option<String>)>;

/// The parameters of one request that had no effect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ineffective {
    /// Those that the operation does not take.
    unknown: Vec<Unknown>,
    /// Those that a read of the path shows and no write takes.
    shown_only: Vec<String>,
    /// Given, but the path captures them.
    replaced: Vec<String>,
}

/// A parameter that an operation does not take.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Unknown {
    name: String,
    /// The parameter of the operation with the most similar name.
    nearest: Option<&'static str>,
}

/// Moves the parameters that `operation` takes out of `data` and converts them.
///
/// # Errors
/// [`Error::BadRequest`] for a value that does not convert.
pub(crate) fn parse<E>(
    route: &Route<E>,
    operation: &Operation,
    captures: Captures,
    data: &mut Map<String, Value>,
) -> Result<(Fields, Ineffective), Error> {
    let mut ineffective = Ineffective::default();
    for (name, captured) in captures {
        // Policies are written for paths, so a parameter never stands in for a capture, not even for
        // one that is absent.
        if data.remove(&name).is_some_and(|given| !given.is_null()) {
            ineffective.replaced.push(name.clone());
        }
        if let Some(captured) = captured {
            data.insert(name, captured.into());
        }
    }
    let mut values = BTreeMap::new();
    for field in route.schema.iter() {
        let Some(value) = data.remove(field.name) else {
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

    /// Refuses unknown parameters, for what has an effect that cannot be taken back.
    ///
    /// # Errors
    /// [`Error::BadRequest`] that names them.
    pub(crate) fn refuse_unknown(&self) -> Result<(), Error> {
        let Some(names) = self.unknown_names() else {
            return Ok(());
        };
        let hint = self.hint().unwrap_or_else(|| "leave them out".to_owned());
        Err(Error::BadRequest(format!(
            "unrecognized parameters: {names}; {hint}. Nothing was done"
        )))
    }

    /// What `operation` answered, with the warnings; the first words are those of Vault's framework, so
    /// that clients that look for them find them.
    ///
    /// A write that answers nothing answers the warnings.  A read or list of nothing stays one.
    pub(crate) fn add_to(
        &self,
        operation: &Operation,
        response: Option<Response>,
    ) -> Option<Response> {
        let mut warnings = Vec::new();
        if let Some(names) = self.unknown_names() {
            let ignored = format!("Endpoint ignored these unrecognized parameters: {names}");
            warnings.push(match self.hint() {
                Some(hint) => format!("{ignored}; {hint}"),
                None => ignored,
            });
        }
        if !self.shown_only.is_empty() {
            let names = self.shown_only.join(" ");
            warnings.push(format!(
                "Endpoint ignored these parameters, which a read shows and no write takes: [{names}]"
            ));
        }
        if !self.replaced.is_empty() {
            let names = self.replaced.join(" ");
            warnings.push(format!(
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{names}]"
            ));
        }
        match response {
            Some(response) => Some(response.with_warnings(warnings)),
            None if matches!(operation, Operation::Read | Operation::List) => None,
            None => Response::to_write(warnings),
        }
    }

    fn unknown_names(&self) -> Option<String> {
        if self.unknown.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.unknown.iter().map(|one| one.name.as_str()).collect();
        Some(format!("[{}]", names.join(" ")))
    }

    /// What the caller may have meant, if anything is known that looks like it.
    fn hint(&self) -> Option<String> {
        let meant: Vec<String> = self
            .unknown
            .iter()
            .filter_map(|one| Some((one.name.as_str(), one.nearest?)))
            .map(|(name, nearest)| format!("for {name:?} the nearest known one is {nearest:?}"))
            .collect();
        (!meant.is_empty()).then(|| meant.join(", "))
    }
}

/// Of the `known` names the one most like `name`; `None` where none is like it at all.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = name.to_lowercase();
    known
        .map(|known| (likeness(&name, known), known))
        .filter(|(likeness, _)| *likeness > 0.2)
        .max_by(|(one, a), (other, b)| one.total_cmp(other).then(b.cmp(a)))
        .map(|(_, known)| known)
}

/// How alike two names are: in pairs of letters, and in whole words, so that "default_ttl" finds "ttl",
/// which counting typing errors would not show.
fn likeness(name: &str, known: &str) -> f64 {
    let common = known
        .split('_')
        .filter(|word| name.split(['_', '-']).any(|other| other == *word));
    let words = known.split('_').count();
    strsim::sorensen_dice(name, known) + common.count() as f64 / words as f64 / 2.0
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
            "astra_roles",
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
            ("roles", Some("astra_roles")),
            ("astra_role", Some("astra_roles")),
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
