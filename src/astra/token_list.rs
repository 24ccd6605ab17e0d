//! Reading a list of tokens while it arrives.
//!
//! The API does not page, so a list can have any length; only what a caller selects is kept.
//! By hand on top of `serde_json`, whose own stream reader wants values without an envelope.

use std::collections::VecDeque;
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
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::error_body;
use super::list_facts::DescriptionEvidence;
use super::list_facts::Descriptions;
use super::response;
use super::response_body::BodyError;
use super::response_body::BodyReader;
use super::response_body::LimitedBody;
use super::token_entry::ListedToken;
use super::token_entry::TokenEntry;

/// How many parts of a body may wait to be parsed; one can have hundreds of kilobytes.
const AHEAD: usize = 1;

/// Looks at each token of one list, in the list's order.
pub(super) trait TokenVisitor: Send + 'static {
    /// The next token.
    fn visit(&mut self, token: &TokenEntry);
}

/// Shows a list to what `begin` makes, again for each attempt.
pub(super) struct TokenList<B> {
    pub(super) begin: B,
    /// A token that was made with a description before the list was asked for.
    pub(super) described: Option<String>,
}

/// A list read to its end.
pub(super) struct ReadList<V> {
    pub(super) answered_at: Option<OffsetDateTime>,
    pub(super) descriptions: Descriptions,
    pub(super) entries: usize,
    pub(super) visitor: V,
}

impl<V: TokenVisitor, B: Fn() -> V + Sync> BodyReader for TokenList<B> {
    type Output = ReadList<V>;

    /// A long list takes a while to parse, so that is done beside the thread that serves requests.
    async fn read(&self, body: &mut LimitedBody<'_>) -> Result<ReadList<V>, BodyError> {
        let answered_at = body.date();
        let visitor = (self.begin)();
        let described = self.described.clone();
        let (parts, is_whole) = body.short().await?;
        if is_whole {
            return parse(Parts::new(parts, None), visitor, described, answered_at);
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        let parts = Parts::new(parts, Some(receiver));
        let parsed =
            tokio::task::spawn_blocking(move || parse(parts, visitor, described, answered_at));
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

fn parse<V: TokenVisitor>(
    body: impl Read,
    mut visitor: V,
    described: Option<String>,
    answered_at: Option<OffsetDateTime>,
) -> Result<ReadList<V>, BodyError> {
    let mut seen = Seen {
        descriptions: DescriptionEvidence::new(described),
        entries: 0,
        visitor: &mut visitor,
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(body));
    let envelope = Envelope(&mut seen)
        .deserialize(&mut json)
        .and_then(|envelope| json.end().map(|()| envelope));
    let Seen {
        descriptions,
        entries,
        ..
    } = seen;
    let (has_clients, errors) =
        envelope.map_err(|error| BodyError::Malformed(response::json_fault(&error)))?;
    match errors.as_ref().and_then(error_body::reported) {
        Some(detail) => Err(BodyError::Reported(detail)),
        None if has_clients => Ok(ReadList {
            answered_at,
            descriptions: descriptions.verdict(),
            entries,
            visitor,
        }),
        None => Err(BodyError::Malformed("it has no list of clients".to_owned())),
    }
}

/// The parts of a body for a parser that reads: those that are there, then those that still arrive.
struct Parts {
    arriving: Option<mpsc::Receiver<Bytes>>,
    part: Bytes,
    ready: VecDeque<Bytes>,
}

impl Parts {
    fn new(ready: VecDeque<Bytes>, arriving: Option<mpsc::Receiver<Bytes>>) -> Self {
        Self {
            arriving,
            part: Bytes::new(),
            ready,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let ready = self.ready.pop_front();
        ready.or_else(|| self.arriving.as_mut()?.blocking_recv())
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.next() {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// What is seen of a list so far.
struct Seen<'a, V> {
    descriptions: DescriptionEvidence,
    entries: usize,
    visitor: &'a mut V,
}

/// `{"clients":[…]}`: whether it has `clients`, and the errors that it may report instead.
struct Envelope<'a, 'v, V>(&'a mut Seen<'v, V>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Clients,
    Errors,
    #[serde(other)]
    Other,
}

impl<'de, V: TokenVisitor> DeserializeSeed<'de> for Envelope<'_, '_, V> {
    type Value = (bool, Option<Value>);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, V: TokenVisitor> Visitor<'de> for Envelope<'_, '_, V> {
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
struct Clients<'a, 'v, V>(&'a mut Seen<'v, V>);

impl<'de, V: TokenVisitor> DeserializeSeed<'de> for Clients<'_, '_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, V: TokenVisitor> Visitor<'de> for Clients<'_, '_, V> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of clients")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(token) = list.next_element::<ListedToken>()? {
            let seen = &mut *self.0;
            seen.entries += 1;
            seen.descriptions
                .add(token.client_id(), token.description());
            seen.visitor.visit(&token.into());
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
        let parts = Parts::new(VecDeque::new(), Some(receiver));
        match parse(parts, Ids(Vec::new()), None, None) {
            Ok(list) => Ok(list.visitor.0),
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
