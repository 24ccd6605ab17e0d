//! Templates in all their forms.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn templates_become_patterns() {
    for (template, go, documented) in [
        ("status", "^status$", vec!["/status"]),
        ("roles/", "^roles/?$", vec!["/roles"]),
        (
            "roles/{name}",
            r"^roles/(?P<name>\w(([\w-.]+)?\w)?)$",
            vec!["/roles/{name}"],
        ),
        (
            "config{name?}",
            r"^config(/(?P<name>\w(([\w-.]+)?\w)?))?$",
            vec!["/config", "/config/{name}"],
        ),
        (
            "config/{name?}",
            r"^config(/(?P<name>\w(([\w-.]+)?\w)?))?$",
            vec!["/config", "/config/{name}"],
        ),
        (
            "files/{rest*}",
            "^files/(?P<rest>.*)$",
            vec!["/files/{rest}"],
        ),
        (
            "of/{config}/",
            r"^of/(?P<config>\w(([\w-.]+)?\w)?)/?$",
            vec!["/of/{config}"],
        ),
        (
            "of/{config}/{rest*}",
            r"^of/(?P<config>\w(([\w-.]+)?\w)?)/(?P<rest>.*)$",
            vec!["/of/{config}/{rest}"],
        ),
        ("a.b/c-d", r"^a\.b/c-d$", vec!["/a.b/c-d"]),
    ] {
        let pattern = Pattern::parse(template).unwrap();
        assert_eq!(pattern.go, go, "{template}");
        assert_eq!(pattern.documented, documented, "{template}");
    }
}

#[test]
fn names_are_vault_names() {
    let pattern = Pattern::parse("roles/{name}").unwrap();
    for name in ["a", "A1", "read-only", "a.b", "_", "a.-b", "a-_-b", "0"] {
        let path = format!("roles/{name}");
        assert_eq!(pattern.captures(&path).unwrap(), [("name", Some(name))]);
    }
    for path in [
        "roles/",
        "roles",
        "roles/-a",
        "roles/a-",
        "roles/.a",
        "roles/a.",
        "roles/ä",
        "roles/a/b",
        "roles/a..b",
        "roles/a ",
        "roles/a\n",
        "xroles/a",
        "roles/٣",
        "",
    ] {
        assert!(pattern.captures(path).is_none(), "{path:?}");
    }
}

#[test]
fn lists_match_with_and_without_slash() {
    let pattern = Pattern::parse("roles/").unwrap();
    assert!(pattern.captures("roles").is_some());
    assert!(pattern.captures("roles/").is_some());
    assert!(pattern.captures("roles//").is_none());
    assert!(pattern.captures("roles/a").is_none());
}

#[test]
fn optional_tails_and_match_alls() {
    let config = Pattern::parse("config{name?}").unwrap();
    assert_eq!(config.captures("config").unwrap(), [("name", None)]);
    assert_eq!(
        config.captures("config/prod").unwrap(),
        [("name", Some("prod"))]
    );
    assert!(config.captures("config/").is_none());
    assert!(config.captures("config/a/b").is_none());
    assert!(config.captures("configprod").is_none());

    let rest = Pattern::parse("of/{config}/{rest*}").unwrap();
    assert_eq!(
        rest.captures("of/default/API RO User/x").unwrap(),
        [("config", Some("default")), ("rest", Some("API RO User/x"))]
    );
    assert_eq!(
        rest.captures("of/default/").unwrap(),
        [("config", Some("default")), ("rest", Some(""))]
    );
}

#[test]
fn bad_templates_are_refused() {
    for template in [
        "",
        "/roles",
        "roles/{name",
        "roles/name}",
        "roles/{}",
        "roles/{Name}",
        "roles/{1}",
        "{a?}/b",
        "{a*}/",
        "{a}/{a}",
        "a/{b c}",
        "{?}",
    ] {
        assert!(
            matches!(
                Pattern::parse(template),
                Err(DefinitionError::BadTemplate { .. })
            ),
            "{template:?}"
        );
    }
}
