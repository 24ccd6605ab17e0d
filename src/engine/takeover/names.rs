//! What things are called once they are taken over.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use super::import_error::ImportError;
use crate::framework::is_name;

/// The names that the operator gave, by the keys of configs and roles; an empty one leaves the thing out.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

/// What the operator said of one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Given<'a> {
    /// It has this name.
    Name(&'a str),
    /// It is left out.
    LeftOut,
    /// Nothing.
    Nothing,
}

impl Names {
    /// Reads `given`, whose keys must be among `known`.
    pub(super) fn read(given: Option<Value>, known: &BTreeSet<&str>) -> Result<Self, ImportError> {
        let given = match given {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(Self::default()),
            // The cause could quote what was sent in place of a name.
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::Null),
            Some(other) => other,
        };
        let Value::Object(given) = given else {
            return Err(ImportError::NotAnObject);
        };
        let mut names = BTreeMap::new();
        for (key, name) in given {
            if !known.contains(key.as_str()) {
                return Err(ImportError::UnknownKey(key));
            }
            match name {
                Value::String(name) if name.is_empty() || is_name(&name) => {
                    names.insert(key, name);
                }
                _ => return Err(ImportError::NoName(key)),
            }
        }
        Ok(Self(names))
    }

    /// What was said of the thing with `key`.
    pub(super) fn of(&self, key: &str) -> Given<'_> {
        match self.0.get(key).map(String::as_str) {
            None => Given::Nothing,
            Some("") => Given::LeftOut,
            Some(name) => Given::Name(name),
        }
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name of a config for which the operator gave none: its logical name, else the organization's key,
/// if they are names at all.
pub(super) fn config_name(logical_name: &str, org_key: &str) -> Option<String> {
    [logical_name, org_key]
        .into_iter()
        .find(|name| is_name(name))
        .map(str::to_owned)
}

/// The name of a role for which the operator gave none: what cannot stand in a name becomes `_`.
pub(super) fn role_name(old: &str) -> Option<String> {
    let mut name = String::new();
    let mut is_replacing = false;
    for letter in old.chars() {
        let is_allowed = letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        if is_allowed {
            name.push(letter);
        } else if !is_replacing {
            name.push('_');
        }
        is_replacing = !is_allowed;
    }
    is_name(&name).then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_of_what_no_name_may_have_become_one_underscore() {
        for (old, new) in [
            ("api_ro_user", Some("api_ro_user")),
            ("a:b", Some("a_b")),
            ("größe", Some("gr_e")),
            ("r/w user", Some("r_w_user")),
            ("a::  b", Some("a_b")),
            ("ß", Some("_")),
            ("-a", None),
            ("a.", None),
            ("a..b", None),
            ("", None),
        ] {
            assert_eq!(role_name(old).as_deref(), new, "{old}");
        }
        let longest = "x".repeat(240);
        assert_eq!(role_name(&longest).as_ref(), Some(&longest));
        assert_eq!(role_name(&format!("{longest}x")), None);
    }

    #[test]
    fn a_config_is_never_renamed_silently() {
        assert_eq!(config_name("prod", "org").as_deref(), Some("prod"));
        assert_eq!(config_name("Team B", "org").as_deref(), Some("org"));
        assert_eq!(config_name("", "o r g"), None);
    }

    #[test]
    fn bad_names_are_refused_with_key_and_remedy() {
        let known = BTreeSet::from(["org", "org:role"]);
        for (given, start) in [
            (json!(["prod"]), "names: give a JSON object"),
            (json!("prod"), "names: give a JSON object"),
            (json!(7), "names: give a JSON object"),
            (json!({"other": "x"}), "names: \"other\" is neither"),
            (json!({"org": "a b"}), "names: what is given for \"org\""),
            (json!({"org": 5}), "names: what is given for \"org\""),
        ] {
            let error = Names::read(Some(given.clone()), &known).err().unwrap();
            let text = error.to_string();
            assert!(text.starts_with(start), "{text}");
        }
        let given = json!("{\"org\": \"\", \"org:role\": \"reader\"}");
        let names = Names::read(Some(given), &known).unwrap();
        assert_eq!(names.of("org"), Given::LeftOut);
        assert_eq!(names.of("org:role"), Given::Name("reader"));
        assert_eq!(names.of("else"), Given::Nothing);
        assert!(Names::read(Some(json!("")), &known).unwrap().is_empty());
    }
}
