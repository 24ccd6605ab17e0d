//! The faults: what can go wrong with a request, an answer or a connection.

use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;

/// When a delay happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyPoint {
    /// Before the request is processed.
    #[default]
    Before,
    /// Between the commit and the first byte of the answer.
    AfterCommit,
}

/// Body of an injected status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBody {
    /// `{"errors":[{"ID":…,"message":…}]}`.
    #[default]
    Errors,
    /// A JSON string.
    String,
    /// `null`.
    Null,
    /// No body.
    Empty,
    /// A CDN's page.
    Html,
    /// The page of a filter between client and Astra, which replaced the answer.
    BlockPage,
    /// The first half of an `errors` object; `Content-Length` announces all of it, then the
    /// connection is closed.
    Half,
    /// Envoy's text.
    Envoy,
}

/// `Retry-After` of an injected status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// So many seconds.
    Seconds(u64),
    /// An HTTP date so many seconds from now.
    Date(u64),
    /// Not a number, not a date.
    Garbage,
    /// A number that no client can wait for.
    Huge,
}

/// How a JSON body is made invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformation {
    /// Cut inside a string; `Content-Length` matches.
    #[default]
    Cut,
    /// Garbage after the document.
    Trailing,
    /// `roles` a string, `clientId` null.
    WrongTypes,
}

/// What happens to a connection after a truncated body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Closed.
    #[default]
    Close,
    /// Left open without another byte.
    Hang,
}

/// Where an injected redirect points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectTarget {
    /// The same host and path.
    SameHost,
    /// Host and port given, scheme and path kept.
    OtherHost(String),
    /// `http://` with the same host and path.
    PlainHttp,
}

/// What goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// A delay, fixed or uniform between `ms` and `max_ms`.
    Latency {
        /// Milliseconds.
        ms: u64,
        /// Upper bound of a uniform delay.
        #[serde(default)]
        max_ms: Option<u64>,
        /// When.
        #[serde(default)]
        at: LatencyPoint,
    },
    /// An answer from the service or from a proxy in front of it.
    Status {
        /// The status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: FaultBody,
        /// The header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The request was processed before.
        #[serde(default)]
        committed: bool,
    },
    /// 401 with error 340018 for the caller, from now on if `persist`.
    RootExpired {
        /// Make the caller's token expire.
        #[serde(default)]
        persist: bool,
    },
    /// 200 with an `errors` object; nothing is committed.
    OkWithErrors {},
    /// RST after the request was read, no change of state.
    ResetBeforeCommit {},
    /// The state changes, then RST before the first byte.
    ResetAfterCommit {},
    /// The state changes, then RST after `bytes` of the body (half of it if not given).
    ResetMidBody {
        /// Bytes of the body that are sent.
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// Committed; less body than announced.
    Truncate {
        /// Bytes of the body that are sent (half of it if not given).
        #[serde(default)]
        bytes: Option<usize>,
        /// Chunked without an end instead of a too large `Content-Length`.
        #[serde(default)]
        chunked: bool,
        /// What follows.
        #[serde(default)]
        then: Ending,
    },
    /// Committed; `bytes` of the body every `every_ms`.
    SlowBody {
        /// Bytes at once.
        bytes: usize,
        /// Milliseconds between two writes.
        every_ms: u64,
    },
    /// Committed; a body that does not parse.
    MalformedJson {
        /// How.
        #[serde(default)]
        how: Malformation,
    },
    /// Committed; the hash in `token` does not belong to `secret`.
    WrongHash {},
    /// Committed; `clientId` and `token` name another token.
    ForeignClient {},
    /// Committed without the first of the requested roles.
    RolesMismatch {},
    /// Committed; members of the answer are left out.
    MissingFields {
        /// Their names; also applied to each entry of a list.
        fields: Vec<String>,
    },
    /// A JSON body padded with white space to so many MiB.
    HugeBody {
        /// MiB.
        mib: usize,
    },
    /// Committed; `Content-Encoding: gzip` although the client did not ask for it.
    Gzip {},
    /// A redirect, instead of processing the request or after it.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The target.
        to: RedirectTarget,
        /// The request was processed before.
        #[serde(default)]
        committed: bool,
    },
    /// After this answer the kept connection is closed without notice.
    CloseIdle {
        /// Reset it when the next request arrives on it, instead of closing it at once.
        #[serde(default)]
        on_next_request: bool,
    },
    /// Never answered; the state changes first if `committed`.
    Hang {
        /// The request was processed.
        #[serde(default)]
        committed: bool,
    },
    /// While the rule lives, the API port refuses connections. The matcher is ignored.
    NoListen {},
    /// While the rule lives, new TLS connections meet a certificate of another host.
    TlsWrongHost {},
    /// While the rule lives, new TLS connections meet an expired certificate.
    TlsExpired {},
    /// While the rule lives, new TLS connections meet a certificate of an unknown CA.
    TlsUnknownCa {},
}

impl Fault {
    /// The name in `fault.kind` and in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::RootExpired { .. } => "root_expired",
            Self::OkWithErrors {} => "ok_with_errors",
            Self::ResetBeforeCommit {} => "reset_before_commit",
            Self::ResetAfterCommit {} => "reset_after_commit",
            Self::ResetMidBody { .. } => "reset_mid_body",
            Self::Truncate { .. } => "truncate",
            Self::SlowBody { .. } => "slow_body",
            Self::MalformedJson { .. } => "malformed_json",
            Self::WrongHash {} => "wrong_hash",
            Self::ForeignClient {} => "foreign_client",
            Self::RolesMismatch {} => "roles_mismatch",
            Self::MissingFields { .. } => "missing_fields",
            Self::HugeBody { .. } => "huge_body",
            Self::Gzip {} => "gzip",
            Self::Redirect { .. } => "redirect",
            Self::CloseIdle { .. } => "close_idle",
            Self::Hang { .. } => "hang",
            Self::NoListen {} => "no_listen",
            Self::TlsWrongHost {} => "tls_wrong_host",
            Self::TlsExpired {} => "tls_expired",
            Self::TlsUnknownCa {} => "tls_unknown_ca",
        }
    }

    /// Faults of the listener, not of a request.
    pub(crate) fn is_listener_fault(&self) -> bool {
        matches!(
            self,
            Self::NoListen {} | Self::TlsWrongHost {} | Self::TlsExpired {} | Self::TlsUnknownCa {}
        )
    }

    /// Whether it is applied together with another fault.
    pub(super) fn is_additive(&self) -> bool {
        matches!(self, Self::Latency { .. } | Self::CloseIdle { .. })
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let bad = |text: &str| Err(Error::Fault(format!("{}: {text}", self.kind())));
        match self {
            Self::Status { status, .. } if !(200..=599).contains(status) => {
                bad("status is from 200 to 599")
            }
            Self::Redirect { status, .. } if !matches!(status, 301 | 302 | 303 | 307 | 308) => {
                bad("status is 301, 302, 303, 307 or 308")
            }
            Self::SlowBody { bytes: 0, .. } => bad("bytes is at least 1"),
            Self::HugeBody { mib } if !(1..=256).contains(mib) => bad("mib is from 1 to 256"),
            Self::Latency {
                ms,
                max_ms: Some(max),
                ..
            } if max < ms => bad("max_ms is less than ms"),
            _ => Ok(()),
        }
    }
}
