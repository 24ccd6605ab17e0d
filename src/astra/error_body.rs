//! What an answer that is not a success says (docs/internals/astra-api.md, "Error bodies").

use serde::Deserialize;
use serde_json::Value;

use super::error_detail::Detail;
use super::printable::clean;

/// The text with which the API's router answers an unknown path or method, before it looks at
/// anything else.
const ROUTER_404: &str = "404 page not found";

/// The shape of an error's body, as far as a decision rests on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// One of the two forms in which Astra says why it refused a request: `errors` with at least one
    /// number or text, or a JSON text.
    Astra,
    Html,
    OtherJson,
    Router404,
    Text,
}

/// Decodes the body of a failed request.  Every body gives a detail, if need be an empty one.
pub(super) fn decode(body: &[u8]) -> (Shape, Detail) {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let detail = from_json(&value);
        let is_astra = match &value {
            Value::String(text) => !text.trim().is_empty(),
            Value::Object(map) => {
                matches!(map.get("errors"), Some(Value::Array(list)) if is_refusal(list))
            }
            _ => false,
        };
        return match is_astra {
            true => (Shape::Astra, detail),
            false => (Shape::OtherJson, detail),
        };
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text == ROUTER_404 {
        return (Shape::Router404, Detail::new(Vec::new(), text));
    }
    if text.starts_with('<') {
        return (Shape::Html, Detail::new(Vec::new(), &html_title(text)));
    }
    (Shape::Text, Detail::new(Vec::new(), &clean(text)))
}

/// Whether each entry is one that Astra writes: a number `ID`, a text `message`, or both.
fn is_refusal(errors: &[Value]) -> bool {
    let is_entry = |error: &Value| {
        error.get("ID").is_some_and(Value::is_i64)
            || error.get("message").is_some_and(Value::is_string)
    };
    !errors.is_empty() && errors.iter().all(is_entry)
}

/// The errors that a body with a status of success reports nevertheless, if it does.
pub(super) fn errors_despite_success(body: &[u8]) -> Option<Detail> {
    // Only `errors` is kept, so that a credential in the same body is never copied.
    #[derive(Deserialize)]
    struct Envelope {
        errors: Option<Value>,
    }
    // A list would otherwise be read as the fields of an object in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let errors = serde_json::from_slice::<Envelope>(body).ok()?.errors?;
    reported(&errors)
}

/// What the value of `errors` reports, if it does.
pub(super) fn reported(errors: &Value) -> Option<Detail> {
    let is_filled = match errors {
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    };
    is_filled.then(|| from_errors(errors))
}

fn from_json(value: &Value) -> Detail {
    match value {
        Value::Null => Detail::default(),
        Value::String(text) => Detail::new(Vec::new(), &clean(text)),
        Value::Object(map) => match map.get("errors") {
            Some(errors) => from_errors(errors),
            None => Detail::new(Vec::new(), &clean(&message(value))),
        },
        other => Detail::new(Vec::new(), &clean(&other.to_string())),
    }
}

fn from_errors(errors: &Value) -> Detail {
    let list = match errors {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let ids = list
        .iter()
        .filter_map(|error| ["ID", "id", "Id"].iter().find_map(|key| error.get(key)))
        .filter_map(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()))
        .take(16)
        .collect();
    let texts: Vec<String> = list
        .iter()
        .take(16)
        .map(message)
        .filter(|text| !text.is_empty())
        .collect();
    Detail::new(ids, &clean(&texts.join("; ")))
}

/// The text of one JSON error.
fn message(error: &Value) -> String {
    let keys = [
        "message",
        "Message",
        "error",
        "errorMessage",
        "detail",
        "description",
    ];
    match error {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ => match keys.iter().find_map(|key| error.get(key)?.as_str()) {
            Some(text) => text.to_owned(),
            None if error.get("ID").is_some() => String::new(),
            None => error.to_string(),
        },
    }
}

fn html_title(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let end = start + lower.get(start..)?.find("</title>")?;
        text.get(start..end)
    });
    match title.map(clean) {
        Some(title) if !title.is_empty() => format!("an HTML page ({title})"),
        _ => "an HTML page".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::proptest;

    use super::Shape;
    use super::decode;
    use super::errors_despite_success;
    use crate::astra::printable::KEPT;

    fn decoded(body: &str) -> (Shape, Vec<i64>, String) {
        let (shape, detail) = decode(body.as_bytes());
        (shape, detail.ids().to_vec(), detail.text().to_owned())
    }

    #[test]
    fn decodes_every_shape() {
        for (body, shape, ids, text) in [
            (
                r#"{"errors":[{"ID":340018,"message":"Resource not found"}]}"#,
                Shape::Astra,
                vec![340_018],
                "Resource not found",
            ),
            (
                r#"{"errors":[{"ID":1,"message":"a"},{"message":"b"},{"ID":3}]}"#,
                Shape::Astra,
                vec![1, 3],
                "a; b",
            ),
            (
                r#"{"errors":[{"ID":"77","message":"a"}]}"#,
                Shape::Astra,
                vec![77],
                "a",
            ),
            (r#"{"errors":[]}"#, Shape::OtherJson, vec![], ""),
            (r#"{"errors":null}"#, Shape::OtherJson, vec![], ""),
            (
                r#""role not found""#,
                Shape::Astra,
                vec![],
                "role not found",
            ),
            ("null", Shape::OtherJson, vec![], ""),
            (
                r#"{"message":"denied"}"#,
                Shape::OtherJson,
                vec![],
                "denied",
            ),
            (r#"{"code":7}"#, Shape::OtherJson, vec![], r#"{"code":7}"#),
            (
                "RBAC: access denied",
                Shape::Text,
                vec![],
                "RBAC: access denied",
            ),
            ("", Shape::Text, vec![], ""),
            (
                "404 page not found\n",
                Shape::Router404,
                vec![],
                "404 page not found",
            ),
            (
                "<html><head><TITLE>502\nBad Gateway</TITLE>",
                Shape::Html,
                vec![],
                "an HTML page (502 Bad Gateway)",
            ),
            ("<!DOCTYPE html>", Shape::Html, vec![], "an HTML page"),
        ] {
            assert_eq!(decoded(body), (shape, ids, text.to_owned()), "{body}");
        }
    }

    #[test]
    fn keeps_no_control_characters_and_no_credentials() {
        let token = format!("AstraCS:{}:{}", "a".repeat(24), "0".repeat(64));
        let body = format!("Authorization:\u{1b}[31m Bearer {token} was\r\nrefused");
        let (_, detail) = decode(body.as_bytes());
        assert_eq!(
            detail.text(),
            "Authorization: [31m Bearer AstraCS:[redacted] was refused"
        );
    }

    #[test]
    fn finds_errors_in_a_success() {
        let found = |body: &str| {
            errors_despite_success(body.as_bytes()).map(|detail| detail.text().to_owned())
        };
        assert_eq!(
            found(r#"{"errors":[{"ID":1,"message":"no"}]}"#).as_deref(),
            Some("no")
        );
        assert_eq!(found(r#"{"errors":"no"}"#).as_deref(), Some("no"));
        for body in [
            r#"{"errors":[]}"#,
            r#"{"errors":null,"id":"x"}"#,
            "[]",
            r#"[{"id":"x"}]"#,
            r#"["x"]"#,
            "",
            "null",
            "{}",
        ] {
            assert_eq!(found(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn decoding_never_panics_and_is_bounded(body in vec(any::<u8>(), 0..6_000)) {
            let (_, detail) = decode(&body);
            assert!(detail.text().len() <= KEPT);
            assert!(!detail.text().contains(char::is_control));
            let _ = errors_despite_success(&body);
        }
    }
}
