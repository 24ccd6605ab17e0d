//! Answers in the shapes the service has.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;
use serde::Serialize;

pub(crate) const JSON: &str = "application/json; charset=UTF-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const HTML: &str = "text/html";

/// The text as observed in production, with its unexpanded format verbs.
const UNKNOWN_TOKEN: &str = "Resource not found: token with identifier: auth-manager returned 404 \
    for call %s/v2/admin/tokens?%s";

/// An answer before it is sent.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, JSON, body),
            Err(error) => Self::errors(500, 0, &error.to_string()),
        }
    }

    /// `{"errors":[{"ID":…,"message":…}]}`.
    pub(crate) fn errors(status: u16, id: u32, message: &str) -> Self {
        #[derive(Serialize)]
        struct Item<'a> {
            #[serde(rename = "ID")]
            id: u32,
            message: &'a str,
        }
        #[derive(Serialize)]
        struct Errors<'a> {
            errors: [Item<'a>; 1],
        }
        let errors = Errors {
            errors: [Item { id, message }],
        };
        Self::new(
            status,
            JSON,
            serde_json::to_vec(&errors).unwrap_or_default(),
        )
    }

    pub(crate) fn string(status: u16, message: &str) -> Self {
        let body = serde_json::to_vec(message).unwrap_or_default();
        Self::new(status, JSON, body)
    }

    pub(crate) fn text(status: u16, message: &str) -> Self {
        Self::new(status, TEXT, message.to_owned())
    }

    pub(crate) fn null(status: u16) -> Self {
        Self::new(status, JSON, "null")
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// 401 with error 340018: the token is unknown or was deleted.
    pub(crate) fn unknown_token() -> Self {
        Self::errors(401, 340_018, UNKNOWN_TOKEN)
    }

    pub(crate) fn not_routed() -> Self {
        Self::text(404, "404 page not found\n")
    }

    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A body that is worth building outside the lock.
pub(crate) type Deferred = Box<dyn FnOnce() -> Bytes + Send>;

/// The result of processing a request.
pub(crate) struct Handled {
    pub(crate) reply: Reply,
    /// Builds `reply.body` later.
    pub(crate) deferred: Option<Deferred>,
    /// Records was changed.
    pub(crate) committed: bool,
    /// The token made or deleted.
    pub(crate) subject: Option<Arc<str>>,
    /// `subject` was minted and its secret is in the answer.
    pub(crate) minted: bool,
}

impl Handled {
    pub(crate) fn done(reply: Reply) -> Self {
        Self {
            committed: true,
            ..Self::from(reply)
        }
    }
}

impl From<Reply> for Handled {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            deferred: None,
            committed: false,
            subject: None,
            minted: false,
        }
    }
}
