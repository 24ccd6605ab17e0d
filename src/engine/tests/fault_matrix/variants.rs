//! The ways in which a request goes wrong: every fault of the emulator, in every form that could
//! make a difference to a client.

use astra_emulator::Fault;
use astra_emulator::fault::Ending;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use astra_emulator::fault::Malformation;
use astra_emulator::fault::RedirectTarget;
use astra_emulator::fault::RetryAfter;

/// A fault as the table names it.
#[derive(Clone)]
pub struct Variant {
    pub name: &'static str,
    pub fault: Fault,
}

impl Variant {
    /// Whether a request takes effect after the client has given it up.
    pub fn is_late(&self) -> bool {
        self.name == "late"
    }

    /// Whether it is about what happens to connections, which a service in this process has not.
    pub fn needs_sockets(&self) -> bool {
        self.needs_tls() || self.spoils_the_next()
    }

    /// Whether it is about TLS, so that the API must speak it.
    pub fn needs_tls(&self) -> bool {
        self.fault.kind().starts_with("tls_")
    }

    /// Whether it is about connections instead of single requests.
    pub fn is_of_listener(&self) -> bool {
        self.needs_tls() || self.fault.kind() == "no_listen"
    }

    /// Whether it spoils the connection for the request after.
    pub fn spoils_the_next(&self) -> bool {
        self.fault.kind() == "close_idle"
    }

    /// Whether it ends the root token's life.
    pub fn kills_the_root_token(&self) -> bool {
        matches!(self.fault, Fault::RootExpired { persist: true })
    }
}

/// All of them.
pub fn all() -> Vec<Variant> {
    let latency = |ms, at| Fault::Latency {
        ms,
        max_ms: None,
        at,
    };
    let status = |status, body| Fault::Status {
        status,
        body,
        retry_after: None,
        committed: false,
    };
    let waiting = |status, body, retry_after| Fault::Status {
        status,
        body,
        retry_after: Some(retry_after),
        committed: false,
    };
    let committed = |status, body| Fault::Status {
        status,
        body,
        retry_after: None,
        committed: true,
    };
    let redirected = || Fault::Redirect {
        status: 307,
        to: RedirectTarget::SameHost,
        committed: true,
    };
    let redirect = |status, to| Fault::Redirect {
        status,
        to,
        committed: false,
    };
    let truncate = |chunked, then| Fault::Truncate {
        bytes: None,
        chunked,
        then,
    };
    let missing = |names: &[&str]| Fault::MissingFields {
        fields: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let all = [
        ("slow", latency(50, LatencyPoint::Before)),
        ("slow-answer", latency(50, LatencyPoint::AfterCommit)),
        ("late", latency(1_500, LatencyPoint::Before)),
        ("late-answer", latency(1_500, LatencyPoint::AfterCommit)),
        ("429", status(429, FaultBody::String)),
        ("429-empty", status(429, FaultBody::Empty)),
        (
            "429-1s",
            waiting(429, FaultBody::String, RetryAfter::Seconds(1)),
        ),
        (
            "429-date",
            waiting(429, FaultBody::String, RetryAfter::Date(1)),
        ),
        (
            "429-garbage",
            waiting(429, FaultBody::String, RetryAfter::Garbage),
        ),
        (
            "429-huge",
            waiting(429, FaultBody::String, RetryAfter::Huge),
        ),
        ("500", status(500, FaultBody::Errors)),
        ("500-string", status(500, FaultBody::String)),
        ("500-empty", status(500, FaultBody::Empty)),
        ("500-committed", committed(500, FaultBody::Errors)),
        ("502-html", status(502, FaultBody::Html)),
        ("503-envoy", status(503, FaultBody::Envoy)),
        (
            "503-2s",
            waiting(503, FaultBody::Html, RetryAfter::Seconds(2)),
        ),
        ("504-committed", committed(504, FaultBody::Html)),
        ("401-dead", Fault::RootExpired { persist: false }),
        ("401-dead-for-good", Fault::RootExpired { persist: true }),
        ("401-null", status(401, FaultBody::Null)),
        ("403", status(403, FaultBody::String)),
        ("403-errors", status(403, FaultBody::Errors)),
        ("403-empty", status(403, FaultBody::Empty)),
        ("403-html", status(403, FaultBody::Html)),
        // Refusals that hide a success: what stands between the plugin and Astra replaced the answer.
        // A whole refusal of 400, 401, 403 or 404 in Astra's own form is believed, so it is not among them.
        ("400-html-committed", committed(400, FaultBody::Html)),
        ("400-block-committed", committed(400, FaultBody::BlockPage)),
        ("401-null-committed", committed(401, FaultBody::Null)),
        ("403-html-committed", committed(403, FaultBody::Html)),
        ("403-block-committed", committed(403, FaultBody::BlockPage)),
        ("403-empty-committed", committed(403, FaultBody::Empty)),
        ("403-half-committed", committed(403, FaultBody::Half)),
        ("404-html-committed", committed(404, FaultBody::Html)),
        ("409-committed", committed(409, FaultBody::Errors)),
        ("413-empty-committed", committed(413, FaultBody::Empty)),
        ("429-committed", committed(429, FaultBody::Errors)),
        ("307-committed", redirected()),
        ("200-errors", Fault::OkWithErrors {}),
        // The page of something before Astra, which has not seen the request.
        ("200-html", status(200, FaultBody::Html)),
        ("reset-before", Fault::ResetBeforeCommit {}),
        ("reset-after", Fault::ResetAfterCommit {}),
        ("reset-mid-body", Fault::ResetMidBody { bytes: None }),
        ("truncated", truncate(false, Ending::Close)),
        ("truncated-chunk", truncate(true, Ending::Close)),
        ("truncated-hang", truncate(false, Ending::Hang)),
        (
            "slow-body",
            Fault::SlowBody {
                bytes: 4096,
                every_ms: 2,
            },
        ),
        (
            "endless-body",
            Fault::SlowBody {
                bytes: 1,
                every_ms: 100,
            },
        ),
        (
            "cut-json",
            Fault::MalformedJson {
                how: Malformation::Cut,
            },
        ),
        (
            "garbage-json",
            Fault::MalformedJson {
                how: Malformation::Trailing,
            },
        ),
        (
            "wrong-types",
            Fault::MalformedJson {
                how: Malformation::WrongTypes,
            },
        ),
        ("wrong-hash", Fault::WrongHash {}),
        ("foreign-client", Fault::ForeignClient {}),
        ("roles-mismatch", Fault::RolesMismatch {}),
        ("no-token", missing(&["token"])),
        ("no-secret", missing(&["secret"])),
        ("no-id", missing(&["clientId", "id"])),
        (
            "no-extras",
            missing(&["generatedOn", "orgId", "roles", "info"]),
        ),
        ("huge-body", Fault::HugeBody { mib: 17 }),
        ("gzip", Fault::Gzip {}),
        ("301", redirect(301, RedirectTarget::SameHost)),
        ("302", redirect(302, RedirectTarget::PlainHttp)),
        ("303", redirect(303, RedirectTarget::SameHost)),
        (
            "307",
            redirect(307, RedirectTarget::OtherHost("127.0.0.1:1".to_owned())),
        ),
        ("308", redirect(308, RedirectTarget::SameHost)),
        (
            "closed-idle",
            Fault::CloseIdle {
                on_next_request: false,
            },
        ),
        (
            "reset-idle",
            Fault::CloseIdle {
                on_next_request: true,
            },
        ),
        ("hang", Fault::Hang { committed: false }),
        ("hang-committed", Fault::Hang { committed: true }),
        ("no-listen", Fault::NoListen {}),
        ("tls-wrong-host", Fault::TlsWrongHost {}),
        ("tls-expired", Fault::TlsExpired {}),
        ("tls-unknown-ca", Fault::TlsUnknownCa {}),
    ];
    all.into_iter()
        .map(|(name, fault)| Variant { name, fault })
        .collect()
}

/// Fails to compile when the emulator learns a fault that is not in [`all`].
fn known(fault: &Fault) -> &'static str {
    match fault {
        Fault::Latency { .. } => "latency",
        Fault::Status { .. } => "status",
        Fault::RootExpired { .. } => "root_expired",
        Fault::OkWithErrors {} => "ok_with_errors",
        Fault::ResetBeforeCommit {} => "reset_before_commit",
        Fault::ResetAfterCommit {} => "reset_after_commit",
        Fault::ResetMidBody { .. } => "reset_mid_body",
        Fault::Truncate { .. } => "truncate",
        Fault::SlowBody { .. } => "slow_body",
        Fault::MalformedJson { .. } => "malformed_json",
        Fault::WrongHash {} => "wrong_hash",
        Fault::ForeignClient {} => "foreign_client",
        Fault::RolesMismatch {} => "roles_mismatch",
        Fault::MissingFields { .. } => "missing_fields",
        Fault::HugeBody { .. } => "huge_body",
        Fault::Gzip {} => "gzip",
        Fault::Redirect { .. } => "redirect",
        Fault::CloseIdle { .. } => "close_idle",
        Fault::Hang { .. } => "hang",
        Fault::NoListen {} => "no_listen",
        Fault::TlsWrongHost {} => "tls_wrong_host",
        Fault::TlsExpired {} => "tls_expired",
        Fault::TlsUnknownCa {} => "tls_unknown_ca",
    }
}

#[test]
fn every_fault_of_the_emulator_is_in_the_matrix() {
    let kinds: std::collections::BTreeSet<&str> =
        all().iter().map(|variant| known(&variant.fault)).collect();
    assert_eq!(kinds.len(), 23, "{kinds:?}");
}
