//! What an answer that is not a success says (docs/internals/astra-api.md, "Error bodies").

use serde::Deserialize;
use serde_json::Value;

use super::error_detail::Detail;
use super::printable::clean;
use super::printable::is_invisible;

/// The text with which the API's router answers an unknown path or method, before it looks at
/// anything else.
const ROUTER_404: &str = "404 page not found";

/// What is said of an object without a known text, which is not quoted: it may be the answer to a mint, behind
/// another status.
const OBJECT: &str = "a JSON object";

/// The same of a list.
const LIST: &str = "a JSON list";

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
    (Shape::Text, Detail::new(Vec::new(), &quoted(text)))
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
        Value::Object(map) => match map.get("errors") {
            Some(errors) => from_errors(errors),
            None => Detail::new(Vec::new(), &message(value)),
        },
        other => Detail::new(Vec::new(), &message(other)),
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

/// One line of `text`, unless it begins like JSON: of a long answer only the beginning is read, and something
/// before Astra may wrap an answer as a text.
fn quoted(text: &str) -> String {
    let is_blank = |c: &char| c.is_whitespace() || is_invisible(*c);
    let is_wrapping = |c: &char| is_blank(c) || matches!(c, '"' | '\\');
    let mut begin = text.chars().skip_while(is_wrapping);
    match (begin.next(), begin.find(|c| !is_blank(c))) {
        (Some('{'), _) => OBJECT.to_owned(),
        (Some('['), Some('{' | '[' | '"' | '\\')) => LIST.to_owned(),
        _ => clean(text),
    }
}

/// The text of one JSON error, in one line.
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
        Value::Bool(_) | Value::Number(_) => error.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => LIST.to_owned(),
        Value::Object(map) => match keys.iter().find_map(|key| map.get(*key)?.as_str()) {
            Some(text) => quoted(text),
            None if map.contains_key("ID") => String::new(),
            None => OBJECT.to_owned(),
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
            (r#"{"code":7}"#, Shape::OtherJson, vec![], "a JSON object"),
            (r#"[{"code":7}]"#, Shape::OtherJson, vec![], "a JSON list"),
            ("7", Shape::OtherJson, vec![], "7"),
            ("[error] denied", Shape::Text, vec![], "[error] denied"),
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

    /// The answer to a mint that something before Astra gave another status, whole, cut or wrapped.
    #[test]
    fn quotes_no_credential() {
        let secret = "s3cr3t-of-the-client";
        let token = format!("AstraCS:{}:{secret}", "a".repeat(24));
        let minted = format!(r#"{{"clientId":"x","secret":"{secret}","token":"{token}"}}"#);
        let text = serde_json::to_string(&minted).unwrap();
        let cut = |text: &str| text[..text.len() - 2].to_owned();
        for body in [
            minted.clone(),
            cut(&minted),
            format!("\u{feff} {minted}"),
            format!("[{minted}]"),
            cut(&format!("[ {minted}]")),
            text.clone(),
            cut(&text),
            format!(r#"["{secret}","{token}"]"#),
            format!(r#"{{"data":{minted}}}"#),
            format!(r#"{{"message":{minted}}}"#),
            format!(r#"{{"message":{text}}}"#),
            format!(r#"{{"errors":{minted}}}"#),
            format!(r#"{{"errors":[{minted}]}}"#),
            format!(r#"{{"errors":[[{minted}]]}}"#),
            format!(r#"{{"errors":[{{"message":{text}}}]}}"#),
            format!("no answer to {}", token.replace(':', "%3A")),
        ] {
            let (_, _, text) = decoded(&body);
            assert!(!text.contains(secret), "{body}: {text}");
            let is_said = [
                "a JSON object",
                "a JSON list",
                "no answer to AstraCS:[redacted]",
            ];
            assert!(is_said.contains(&text.as_str()), "{body}: {text}");
        }
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
