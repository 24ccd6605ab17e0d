//! Names of operations for code generators.

use std::collections::BTreeSet;

/// Hands out operation ids, none of them twice.
pub(super) struct OperationIds {
    prefix: String,
    taken: BTreeSet<String>,
}

impl OperationIds {
    /// Ids that begin with `prefix`, where it has letters or digits.
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: hyphenated(prefix),
            taken: BTreeSet::new(),
        }
    }

    /// The id for `verb` on an OpenAPI path: `shelf-read-roles-name`.
    pub(super) fn id(&mut self, verb: &str, path: &str) -> String {
        let parts = [self.prefix.as_str(), verb, &hyphenated(path)];
        let id = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        let mut unique = id.clone();
        let mut count = 1;
        while !self.taken.insert(unique.clone()) {
            count += 1;
            unique = format!("{id}-{count}");
        }
        unique
    }
}

/// Lower-case letters and digits with single hyphens between them.
fn hyphenated(text: &str) -> String {
    text.to_ascii_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_prefixed_hyphenated_and_unique() {
        let mut ids = OperationIds::new("My_Engine/v1");
        assert_eq!(
            ids.id("read", "/static-roles/{name}"),
            "my-engine-v1-read-static-roles-name"
        );
        assert_eq!(
            ids.id("read", "/static_roles/{name}"),
            "my-engine-v1-read-static-roles-name-2"
        );
        assert_eq!(
            ids.id("list", "/static-roles/"),
            "my-engine-v1-list-static-roles"
        );
        assert_eq!(OperationIds::new("").id("read", "/config"), "read-config");
    }
}
