//! Where an organization's DevOps API is.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The address of a DevOps API without its `/v2`, for instance `https://api.astra.datastax.com`.
///
/// `https` only, because every request carries the root token; plain `http` is accepted for a
/// loopback address, where an emulator listens (docs/internals/astra-api.md, "Base URLs").
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl {
    text: String,
    url: Url,
}

/// Why a text is not a usable base URL.  All of them are the operator's to correct.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// It ends in the API version, which the client adds itself.
    #[error(
        "the URL {0:?} must not end in \"/v2\": give the address of the API without its version, \
         for instance https://api.astra.datastax.com"
    )]
    ApiVersion(String),
    /// It has a `#fragment`.
    #[error("the URL {0:?} must not have a fragment (\"#…\")")]
    Fragment(String),
    /// It cannot be parsed or has no host.
    #[error("{0:?} is not an absolute URL such as https://api.astra.datastax.com")]
    Invalid(String),
    /// Plain `http` to a host that is not this machine.
    #[error(
        "the URL {0:?} must begin with \"https://\": the root token would travel in clear; plain \
         \"http://\" is accepted only for a loopback address"
    )]
    NotHttps(String),
    /// It has a `?query`.
    #[error("the URL {0:?} must not have a query (\"?…\")")]
    Query(String),
    /// It has a user name or password, which is not repeated here.
    #[error("the URL must not contain a user name or password")]
    UserInfo,
}

impl BaseUrl {
    /// Reads an address; one trailing slash is dropped.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let shown = || text.chars().take(200).collect::<String>();
        let url = match Url::parse(text) {
            Ok(url) => url,
            // A text with an at sign may hold a password, so it is not repeated.
            Err(_) if text.contains('@') => return Err(UrlError::UserInfo),
            Err(_) => return Err(UrlError::Invalid(shown())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::Invalid(shown()));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(UrlError::NotHttps(shown())),
        }
        if url.query().is_some() {
            return Err(UrlError::Query(shown()));
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment(shown()));
        }
        let full = url.as_str();
        let text = full.strip_suffix('/').unwrap_or(full);
        if text.ends_with('/') {
            return Err(UrlError::Invalid(shown()));
        }
        if text.to_ascii_lowercase().ends_with("/v2") {
            return Err(UrlError::ApiVersion(shown()));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// The address, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether requests stay on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Whether requests are encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::BaseUrl;
    use super::UrlError;

    fn parsed(text: &str) -> Result<String, UrlError> {
        BaseUrl::parse(text).map(|url| url.to_string())
    }

    #[test]
    fn accepts_https_and_loopback_http_and_drops_one_slash() {
        for (text, expected) in [
            (
                "https://api.astra.datastax.com",
                "https://api.astra.datastax.com",
            ),
            (
                "https://api.astra.datastax.com/",
                "https://api.astra.datastax.com",
            ),
            (
                "HTTPS://API.astra.datastax.com",
                "https://api.astra.datastax.com",
            ),
            (
                "https://proxy.example/astra/",
                "https://proxy.example/astra",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.8.9.10:1/", "http://127.8.9.10:1"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_would_leak_the_token_or_miss_the_api() {
        let shown = |text: &str| text.to_owned();
        for (text, expected) in [
            (
                "http://api.astra.datastax.com",
                UrlError::NotHttps(shown("http://api.astra.datastax.com")),
            ),
            (
                "http://127.0.0.1.example.com",
                UrlError::NotHttps(shown("http://127.0.0.1.example.com")),
            ),
            (
                "http://10.0.0.1",
                UrlError::NotHttps(shown("http://10.0.0.1")),
            ),
            (
                "ftp://127.0.0.1",
                UrlError::NotHttps(shown("ftp://127.0.0.1")),
            ),
            (
                "https://a.example/v2",
                UrlError::ApiVersion(shown("https://a.example/v2")),
            ),
            (
                "https://a.example/v2/",
                UrlError::ApiVersion(shown("https://a.example/v2/")),
            ),
            (
                "https://a.example?x=1",
                UrlError::Query(shown("https://a.example?x=1")),
            ),
            (
                "https://a.example#x",
                UrlError::Fragment(shown("https://a.example#x")),
            ),
            (
                "https://a.example//",
                UrlError::Invalid(shown("https://a.example//")),
            ),
            ("https://user:pw@a.example", UrlError::UserInfo),
            ("https://user:pw@", UrlError::UserInfo),
            (
                "api.astra.datastax.com",
                UrlError::Invalid(shown("api.astra.datastax.com")),
            ),
            ("", UrlError::Invalid(String::new())),
        ] {
            assert_eq!(parsed(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn messages_never_repeat_a_password() {
        let error = parsed("https://user:hunter2@a.example/v2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
