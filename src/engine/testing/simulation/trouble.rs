//! What goes wrong in Astra: faults, delays and limits, as chance draws them.

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use astra_emulator::fault::Malformation;
use astra_emulator::fault::RedirectTarget;
use astra_emulator::fault::RetryAfter;
use fastrand::Rng;
use serde_json::json;

use super::operation::Operation;

/// An organization gives tokens another end than was asked for.
pub(super) fn limit(org: usize, rng: &mut Rng) -> Operation {
    let mode = if rng.bool() { "clamp" } else { "refuse" };
    let knobs = match rng.u8(..5) {
        0 => json!({"rewrite_expiry": {"life_s": rng.u64(1..3_000)}}),
        1 => json!({"rewrite_expiry": {"shift_s": rng.i64(-1_000..10_000)}}),
        // A year: anyone who asks again without an expiry gets all of it.
        2 => json!({"org_max_token_expiry_s": 31_536_000}),
        _ => json!({
            "org_max_token_expiry_s": rng.u64(3..4_000),
            "org_max_token_expiry_mode": mode,
        }),
    };
    Operation::Knobs {
        org,
        knobs,
        seconds: rng.u64(30..400),
    }
}

/// What an organization does shows only later.
pub(super) fn lag(org: usize, rng: &mut Rng) -> Operation {
    let scope = *rng
        .choice(["both", "auth", "list", "delete", "all"].iter())
        .unwrap_or(&"both");
    let other = *rng
        .choice(["both", "auth", "list", "delete", "all"].iter())
        .unwrap_or(&"both");
    let unknown = rng.u64(..20_000);
    Operation::Knobs {
        org,
        knobs: json!({
            "role_visible_after_ms": unknown,
            "create_visible_after_ms": unknown,
            "create_visible_scope": scope,
            "delete_effective_after_ms": rng.u64(..10_000),
            "delete_effective_scope": other,
            "list_stale_ms": if rng.bool() { rng.u64(..5_000) } else { 0 },
        }),
        seconds: rng.u64(20..300),
    }
}

/// Requests of an organization go wrong.
pub(super) fn fail(org: usize, rng: &mut Rng) -> Operation {
    let calls = [
        (Some("POST"), "/v2/clientIdSecrets"),
        (Some("GET"), "/v2/clientIdSecrets"),
        (Some("DELETE"), "/v2/clientIdSecrets/*"),
        (Some("POST"), "/v2/organizations/roles"),
        (Some("PUT"), "/v2/organizations/roles/*"),
        (Some("DELETE"), "/v2/organizations/roles/*"),
        (Some("GET"), "/v2/organizations/roles"),
        (Some("GET"), "/v2/currentOrg"),
        (None, "*"),
        (None, "*"),
    ];
    let (method, path) = *rng.choice(calls.iter()).unwrap_or(&(None, "*"));
    let times = (rng.u8(..3) > 0).then(|| rng.u64(1..4));
    Operation::Fail {
        org,
        method: method.map(str::to_owned),
        path: path.to_owned(),
        fault: fault(rng),
        times,
        seconds: rng.u64(5..240),
    }
}

/// An organization refuses what is done to custom roles for long.
pub(super) fn lasting_refusal(org: usize, rng: &mut Rng) -> Operation {
    let methods = [Some("POST"), Some("PUT"), Some("DELETE"), None];
    let method = *rng.choice(methods.iter()).unwrap_or(&None);
    let path = match method {
        Some("POST") => "/v2/organizations/roles",
        _ => "/v2/organizations/roles*",
    };
    Operation::Fail {
        org,
        method: method.map(str::to_owned),
        path: path.to_owned(),
        fault: status(rng),
        times: None,
        seconds: rng.u64(300..2_400),
    }
}

fn fault(rng: &mut Rng) -> Fault {
    match rng.u8(..16) {
        0..5 => status(rng),
        5 => Fault::ResetBeforeCommit {},
        6 => Fault::ResetAfterCommit {},
        7 => Fault::ResetMidBody { bytes: None },
        8 => Fault::Truncate {
            bytes: None,
            chunked: rng.bool(),
            then: Default::default(),
        },
        9 => Fault::MalformedJson {
            how: *rng
                .choice(
                    [
                        Malformation::Cut,
                        Malformation::Trailing,
                        Malformation::WrongTypes,
                    ]
                    .iter(),
                )
                .unwrap_or(&Malformation::Cut),
        },
        10 => Fault::Hang {
            committed: rng.bool(),
        },
        11 => Fault::Latency {
            ms: rng.u64(..5_000),
            max_ms: None,
            at: LatencyPoint::Before,
        },
        12 => Fault::Latency {
            ms: rng.u64(5_000..90_000),
            max_ms: None,
            at: if rng.bool() {
                LatencyPoint::Before
            } else {
                LatencyPoint::AfterCommit
            },
        },
        13 => match rng.u8(..3) {
            0 => Fault::WrongHash {},
            1 => Fault::RolesMismatch {},
            _ => Fault::OkWithErrors {},
        },
        14 => Fault::Redirect {
            status: 302,
            to: RedirectTarget::SameHost,
            committed: rng.bool(),
        },
        _ => Fault::SlowBody {
            bytes: 40,
            every_ms: rng.u64(10..2_000),
        },
    }
}

fn status(rng: &mut Rng) -> Fault {
    let status = *rng
        .choice(
            [
                200, 400, 401, 403, 404, 409, 429, 429, 500, 502, 503, 503, 504,
            ]
            .iter(),
        )
        .unwrap_or(&503);
    let bodies = [
        FaultBody::Errors,
        FaultBody::String,
        FaultBody::Null,
        FaultBody::Empty,
        FaultBody::Html,
        FaultBody::BlockPage,
        FaultBody::Half,
        FaultBody::Envoy,
    ];
    let committed = rng.bool();
    let body = *rng.choice(bodies.iter()).unwrap_or(&FaultBody::Errors);
    Fault::Status {
        status,
        // Anyone who has carried a request out does not refuse it in Astra's own words, and a success that is
        // none is a page of something else.
        body: match (committed, body) {
            (_, FaultBody::Envoy | FaultBody::BlockPage) if status == 200 => body,
            _ if status == 200 => FaultBody::Html,
            (true, FaultBody::Errors | FaultBody::String) if status < 500 => FaultBody::BlockPage,
            (_, body) => body,
        },
        retry_after: (status == 429 && rng.bool()).then(|| RetryAfter::Seconds(rng.u64(..20))),
        committed,
    }
}
