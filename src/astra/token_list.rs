//! Reading a list of tokens while it arrives.
//!
//! The API does not page, so a list can have any length; only what a caller selects is kept.
//! By hand on top of `serde_json`, whose own stream reader wants values without an envelope.

use std::io;
use std::io::BufReader;
use std::io::Read;

use bytes::Buf;
use bytes::Bytes;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value;
use tokio::sync::mpsc;

use super::error_body;
use super::response;
use super::response_body::BodyError;
use super::response_body::BodyReader;
use super::response_body::LimitedBody;
use super::token_entry::TokenEntry;

/// How many parts of a body may wait to be parsed; one can have hundreds of kilobytes.
const AHEAD: usize = 1;

/// Looks at each token of one list, in the list's order.
pub(super) trait TokenVisitor: Send + 'static {
    /// The next token.
    fn visit(&mut self, token: &TokenEntry);
}

/// Shows a list to what `begin` makes, anew for each attempt.
pub(super) struct TokenList<B>(pub(super) B);

impl<S: TokenVisitor, B: Fn() -> S + Sync> BodyReader for TokenList<B> {
    type Output = S;

    /// A long list takes a while to parse, so that is done beside the thread that serves requests.
    async fn read(&self, body: &mut LimitedBody<'_>) -> Result<S, BodyError> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let visitor = (self.0)();
        let parsed = tokio::task::spawn_blocking(move || parse(Pipe::new(receiver), visitor));
        // If the body breaks off, the result of its first part is not used.
        while let Some(chunk) = body.chunk().await? {
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        drop(sender);
        let failed = |_| Err(BodyError::Malformed("it cannot be parsed".to_owned()));
        parsed.await.unwrap_or_else(failed)
    }
}

fn parse<S: TokenVisitor>(body: impl Read, mut visitor: S) -> Result<S, BodyError> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(body));
    let envelope = Envelope(&mut visitor)
        .deserialize(&mut json)
        .and_then(|envelope| json.end().map(|()| envelope));
    let (has_clients, errors) =
        envelope.map_err(|error| BodyError::Malformed(response::json_fault(&error)))?;
    match errors.as_ref().and_then(error_body::reported) {
        Some(detail) => Err(BodyError::Reported(detail)),
        None if has_clients => Ok(visitor),
        None => Err(BodyError::Malformed("it has no list of clients".to_owned())),
    }
}

/// The parts of a body as they arrive, for a parser that reads.
struct Pipe {
    parts: mpsc::Receiver<Bytes>,
    part: Bytes,
}

impl Pipe {
    fn new(parts: mpsc::Receiver<Bytes>) -> Self {
        Self {
            parts,
            part: Bytes::new(),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// `{"clients":[…]}`: whether it has `clients`, and the errors that it may report instead.
struct Envelope<'a, S>(&'a mut S);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Clients,
    Errors,
    #[serde(other)]
    Other,
}

impl<'de, S: TokenVisitor> DeserializeSeed<'de> for Envelope<'_, S> {
    type Value = (bool, Option<Value>);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: TokenVisitor> Visitor<'de> for Envelope<'_, S> {
    type Value = (bool, Option<Value>);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with a list of clients")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut has_clients, mut errors) = (false, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Clients if has_clients => return Err(A::Error::duplicate_field("clients")),
                Field::Clients => {
                    map.next_value_seed(Clients(&mut *self.0))?;
                    has_clients = true;
                }
                Field::Errors if errors.is_some() => {
                    return Err(A::Error::duplicate_field("errors"));
                }
                Field::Errors => errors = Some(map.next_value()?),
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok((has_clients, errors))
    }
}

/// The list itself.  Go writes an empty one as `null`.
struct Clients<'a, S>(&'a mut S);

impl<'de, S: TokenVisitor> DeserializeSeed<'de> for Clients<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, S: TokenVisitor> Visitor<'de> for Clients<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of clients")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(token) = list.next_element()? {
            self.0.visit(&token);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Ids(Vec<String>);

    impl TokenVisitor for Ids {
        fn visit(&mut self, token: &TokenEntry) {
            self.0.push(token.client_id.clone());
        }
    }

    fn parsed(parts: impl IntoIterator<Item = Bytes>) -> Result<Vec<String>, String> {
        let parts: Vec<Bytes> = parts.into_iter().collect();
        let (sender, receiver) = mpsc::channel(parts.len().max(1));
        for part in parts {
            sender.try_send(part).unwrap();
        }
        drop(sender);
        match parse(Pipe::new(receiver), Ids(Vec::new())) {
            Ok(Ids(ids)) => Ok(ids),
            Err(BodyError::Malformed(reason)) => Err(reason),
            Err(_) => Err("another failure".to_owned()),
        }
    }

    #[test]
    fn where_a_body_is_cut_into_parts_makes_no_difference() {
        let body = r#"{"clients":[{"clientId":"A","description":"é \"]}"},{"clientId":"B"}]}"#;
        let body = Bytes::from_static(body.as_bytes());
        let expected = Ok(vec!["A".to_owned(), "B".to_owned()]);
        for cut in 0..body.len() {
            let parts = [body.slice(..cut), Bytes::new(), body.slice(cut..)];
            assert_eq!(parsed(parts), expected, "cut at {cut}");
            if cut > 0 {
                assert!(parsed([body.slice(..cut)]).is_err(), "ends at {cut}");
            }
        }
    }

    #[test]
    fn a_fault_is_named_and_nothing_quoted() {
        for (body, expected) in [
            ("", "it ends too early (line 1, column 0)"),
            ("{}", "it has no list of clients"),
            (
                r#"{"clients":["s3cr3t"]}"#,
                "a field is missing or has the wrong type (line 1, column 20)",
            ),
            (
                r#"{"clients":[]} s3cr3t"#,
                "it is not valid JSON (line 1, column 16)",
            ),
        ] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            assert_eq!(parsed([body]), Err(expected.to_owned()));
        }
    }
}
