//! How a call to the API failed, and whose fault it is.

use std::fmt;
use std::time::Duration;

use super::error_detail::Detail;
use super::error_detail::UNKNOWN_TOKEN;
use super::observer::call_name;
use super::printable;
use crate::duration_text::format_duration;

/// Which call failed: method and path, and how often it was tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    attempts: u32,
    line: Box<str>,
}

impl Call {
    pub(super) fn new(method: &str, path: &str, attempts: u32) -> Self {
        Self {
            attempts,
            line: format!("{method} {path}").into(),
        }
    }

    fn name(&self) -> &'static str {
        let (method, path) = self.line.split_once(' ').unwrap_or_default();
        call_name(method, path)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.line)?;
        match self.attempts {
            0 | 1 => Ok(()),
            many => write!(formatter, " ({many} attempts)"),
        }
    }
}

/// Why a call failed, by cause.
///
/// Each message says what happened, the likely cause and what to do; none holds a secret or
/// anything from the body of an answer that may carry one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API refused the request's content: the caller's fault, or a change of the API.
    #[error("Astra refused {call} as invalid (HTTP {status}){detail}")]
    BadRequest {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
        /// The HTTP status.
        status: u16,
    },
    /// This client had all its permitted requests in flight until the deadline.  Nothing was sent.
    #[error(
        "{call} was not sent: all {limit} requests that may run at once to this organization were \
         busy until the time allowed was over; raise max_concurrent_requests or send less"
    )]
    Busy {
        /// The call.
        call: Call,
        /// How many requests may run at once.
        limit: usize,
    },
    /// The object is in a state that does not allow the call, or a name is taken.
    #[error(
        "Astra refused {call} because of a conflict (HTTP 409){detail}; a name is taken, or the \
         object is just changing its state"
    )]
    Conflict {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
    },
    /// The connection broke after the request was sent and before the answer was complete.
    #[error(
        "the connection to {host} broke during {call} before the answer was complete ({cause}); \
         this usually passes"
    )]
    Disconnected {
        /// The call.
        call: Call,
        /// What broke.
        cause: String,
        /// The host that was spoken to.
        host: String,
    },
    /// The root token is alive but may not do this.
    #[error(
        "the root token may not do {call} (HTTP {status}){detail}; its Astra role lacks a \
         permission, it grants less than is asked for, or the organization's IP access list does \
         not admit this address"
    )]
    Forbidden {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
        /// The HTTP status: the API uses 401 as well as 403 for this.
        status: u16,
    },
    /// An argument that the API could not accept, so nothing was sent: the caller's fault.
    #[error("no request was sent to Astra: {reason}")]
    InvalidArgument {
        /// What is wrong with it.
        reason: String,
    },
    /// An answer of success that cannot be understood.
    #[error(
        "the answer to {call} cannot be understood: {reason}; check that the URL is that of the \
         Astra DevOps API and that nothing between changes its answers"
    )]
    Malformed {
        /// The call.
        call: Call,
        /// What is wrong with it, without any of its content.
        reason: String,
    },
    /// The object does not exist.
    #[error("Astra does not know the object of {call} (HTTP 404){detail}")]
    NotFound {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
    },
    /// The API asks for fewer requests.
    #[error(
        "Astra limits the rate of requests and refused {call} (HTTP 429){detail}{}; send less, or \
         lower max_concurrent_requests",
        wait_text(*.wait)
    )]
    RateLimited {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
        /// How long it asks to wait, when it says so.
        wait: Option<Duration>,
    },
    /// The URL points at something that redirects.  The root token is never sent to another place.
    #[error(
        "{call} was redirected to {target} (HTTP {status}), and redirects are not followed; \
         configure the final URL of the Astra DevOps API"
    )]
    Redirected {
        /// The call.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// Where to, without a query.
        target: String,
    },
    /// Time ran out, for one attempt or for the whole operation.
    #[error("{call} timed out: {stage}; Astra or the network is slow, this usually passes")]
    TimedOut {
        /// The call.
        call: Call,
        /// What took too long.
        stage: String,
    },
    /// The answer is larger than this client accepts.
    #[error("the answer to {call} is larger than {limit} bytes, which is more than is accepted")]
    TooLarge {
        /// The call.
        call: Call,
        /// The limit in bytes.
        limit: usize,
    },
    /// The root token is unknown, expired, deleted or malformed.
    #[error(
        "Astra rejected the root token at {call} (HTTP {status}){detail}; it was deleted, has \
         expired, or belongs to another environment than the URL: configure a live one"
    )]
    Unauthorized {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
        /// The HTTP status.
        status: u16,
    },
    /// The service, or what stands in front of it, failed.
    #[error("Astra failed at {call} (HTTP {status}){detail}; this usually passes")]
    Unavailable {
        /// The call.
        call: Call,
        /// What the API said.
        detail: Detail,
        /// The HTTP status.
        status: u16,
    },
    /// No connection could be made, so nothing was sent.
    #[error(
        "{host} cannot be reached for {call} ({cause}); {}",
        reach_remedy(cause)
    )]
    Unreachable {
        /// The call.
        call: Call,
        /// What failed: name resolution, connection or TLS.
        cause: String,
        /// The host.
        host: String,
    },
    /// The root token is of another organization than the one that it is used for.  Nothing was sent
    /// but the question for its organization.
    #[error(
        "the root token belongs to organization {found}, not to {expected}: give a token of \
         {expected}, as one of another organization, even of the same enterprise, cannot be \
         trusted to list and delete its tokens"
    )]
    WrongOrganization {
        /// The organization that the configuration names.
        expected: String,
        /// The root token's own.
        found: String,
    },
    /// Nothing of the DevOps API answers at this URL.
    #[error(
        "there is no Astra DevOps API at {url}: {call} was answered as an unknown path (HTTP 404); \
         correct the URL"
    )]
    WrongUrl {
        /// The call.
        call: Call,
        /// The base URL.
        url: String,
    },
}

impl Error {
    /// Whether Astra itself says that it does not know the root token, which is deleted or expired then.
    /// Any other 401 proves nothing: a proxy may answer it for a token that lives
    /// (docs/internals/astra-api.md, "Error numbers").
    pub fn is_dead_token(&self) -> bool {
        match self {
            Self::Unauthorized { detail, status, .. } => {
                *status == 401 && detail.ids().contains(&UNKNOWN_TOKEN)
            }
            _ => false,
        }
    }

    /// A short word for the class of the failure, for `status` and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "bad-request",
            Self::Busy { .. } => "busy",
            Self::Conflict { .. } => "conflict",
            Self::Disconnected { .. } => "disconnected",
            Self::Forbidden { .. } => "forbidden",
            Self::InvalidArgument { .. } => "invalid-argument",
            Self::Malformed { .. } => "malformed",
            Self::NotFound { .. } => "not-found",
            Self::RateLimited { .. } => "rate-limited",
            Self::Redirected { .. } => "redirected",
            Self::TimedOut { .. } => "timed-out",
            Self::TooLarge { .. } => "too-large",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreachable { .. } => "unreachable",
            Self::WrongOrganization { .. } => "wrong-organization",
            Self::WrongUrl { .. } => "wrong-url",
        }
    }

    /// The name of the request that failed, as an [`Observer`](super::Observer) hears it; `other` where
    /// the failure is of no single one.
    pub fn call_name(&self) -> &'static str {
        match self {
            Self::BadRequest { call, .. }
            | Self::Busy { call, .. }
            | Self::Conflict { call, .. }
            | Self::Disconnected { call, .. }
            | Self::Forbidden { call, .. }
            | Self::Malformed { call, .. }
            | Self::NotFound { call, .. }
            | Self::RateLimited { call, .. }
            | Self::Redirected { call, .. }
            | Self::TimedOut { call, .. }
            | Self::TooLarge { call, .. }
            | Self::Unauthorized { call, .. }
            | Self::Unavailable { call, .. }
            | Self::Unreachable { call, .. }
            | Self::WrongUrl { call, .. } => call.name(),
            // The question for the organization was answered, with another one.
            Self::WrongOrganization { .. } => "read-organization",
            Self::InvalidArgument { .. } => "other",
        }
    }

    /// Whether the same call may succeed later with nothing changed by an operator.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Disconnected { .. }
                | Self::RateLimited { .. }
                | Self::TimedOut { .. }
                | Self::Unavailable { .. }
                | Self::Unreachable { .. }
        )
    }

    /// Whether the answer was a refusal, by Astra or by something in front of it: the same request at
    /// once would be refused again.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::BadRequest { .. }
                | Self::Conflict { .. }
                | Self::Forbidden { .. }
                | Self::NotFound { .. }
                | Self::RateLimited { .. }
                | Self::Redirected { .. }
                | Self::Unauthorized { .. }
                | Self::WrongUrl { .. }
        )
    }

    pub(super) fn invalid_id(noun: &str, id: &str) -> Self {
        let id: String = printable::clean(id).chars().take(80).collect();
        Self::InvalidArgument {
            reason: format!(
                "{id:?} cannot be the id of a {noun}, which consists of letters, digits and hyphens"
            ),
        }
    }
}

fn wait_text(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(", asking to wait {}", format_duration(wait)))
        .unwrap_or_default()
}

fn reach_remedy(cause: &str) -> &'static str {
    if cause.contains("dns error") {
        "check the host name in the URL and the name resolution of this machine"
    } else if cause.contains("certificate") || cause.contains("tls") {
        "check that the URL names the right host and, for a private authority, set ca_cert"
    } else {
        "check the URL, the proxy settings and the firewall between"
    }
}
