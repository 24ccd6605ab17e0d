//! A request as it was read.

use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::Method;
use http::Version;
use http::header;

use crate::ids;

/// A request whose body has been read.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: IpAddr,
}

impl Request {
    /// The text of a header; `None` if it is missing, empty or not text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// The client id in the credentials, whether they are good or not.
    pub(crate) fn presented_client_id(&self) -> Option<&str> {
        let bearer = self
            .header(header::AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .or_else(|| self.data_plane_token())?;
        ids::parse_token(bearer.trim()).map(|(client_id, _)| client_id)
    }

    /// The token in the headers that the data plane reads.
    pub(crate) fn data_plane_token(&self) -> Option<&str> {
        self.header(HeaderName::from_static("token"))
            .or_else(|| self.header(HeaderName::from_static("x-cassandra-token")))
    }

    /// Parameters of the query in order, percent-decoding left to the reader: none of the
    /// documented values needs it.
    pub(crate) fn parameters(&self) -> Vec<(&str, &str)> {
        self.query
            .as_deref()
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect()
    }

    /// Headers for the journal.
    pub(crate) fn journal_headers(&self) -> Vec<(String, String)> {
        self.headers
            .iter()
            .map(|(name, value)| {
                let secret = matches!(
                    name.as_str(),
                    "authorization" | "token" | "x-cassandra-token" | "cookie"
                );
                let value = if secret {
                    "[redacted]".to_owned()
                } else {
                    redact(&String::from_utf8_lossy(value.as_bytes()))
                };
                (name.to_string(), value)
            })
            .collect()
    }

    /// Body for the journal, at most 4 KiB.
    pub(crate) fn journal_body(&self) -> String {
        let head = self.body.get(..4096).unwrap_or(&self.body);
        redact(&String::from_utf8_lossy(head))
    }
}

/// Replaces the hash of every token in `text`.
fn redact(text: &str) -> String {
    const MARK: &str = "AstraCS:";
    let mut parts = text.split(MARK);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let id: String = part
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .take(24)
            .collect();
        let rest = part.strip_prefix(id.as_str()).unwrap_or_default();
        let rest = rest
            .strip_prefix(':')
            .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            .unwrap_or(rest);
        clean.push_str(MARK);
        clean.push_str(&id);
        clean.push_str(":[redacted]");
        clean.push_str(rest);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn tokens_lose_their_hash() {
        let id = "FakeClientIdForDocsOnlyA";
        let text = format!("{{\"x\":\"AstraCS:{id}:{}\"}}", "0a".repeat(32));
        assert_eq!(
            redact(&text),
            format!("{{\"x\":\"AstraCS:{id}:[redacted]\"}}")
        );
        assert_eq!(redact("nothing"), "nothing");
    }
}
