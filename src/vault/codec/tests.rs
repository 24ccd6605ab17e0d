//! What is sent must be what hosts can read, whatever the engine comes up with.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost_types::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::*;
use crate::proto::pb;
use crate::vault::Error;
use crate::vault::FailureStatus;
use crate::vault::Lease;
use crate::vault::Operation;
use crate::vault::Response;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths have exact texts.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    vec((any::<String>(), value()), 0..5).prop_map(|pairs| pairs.into_iter().collect())
}

fn lease() -> impl Strategy<Value = Lease> {
    (
        any::<Duration>(),
        any::<Duration>(),
        any::<bool>(),
        object(),
    )
        .prop_map(|(ttl, max_ttl, renewable, internal_data)| Lease {
            ttl,
            max_ttl,
            renewable,
            internal_data,
        })
}

/// What a response is made of; the response itself can hold secrets and so cannot be printed.
#[derive(Clone, Debug)]
struct Parts(Map<String, Value>, Option<Lease>, Vec<String>);

impl Parts {
    fn response(self) -> Response {
        let Self(data, lease, warnings) = self;
        let response = lease
            .into_iter()
            .fold(Response::new(data), Response::with_lease);
        warnings.into_iter().fold(response, Response::with_warning)
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    (object(), option::of(lease()), vec(any::<String>(), 0..3))
        .prop_map(|(data, lease, warnings)| Parts(data, lease, warnings))
}

fn error() -> impl Strategy<Value = Error> {
    prop_oneof![
        any::<String>().prop_map(Error::BadRequest),
        (400..600_u16, any::<String>()).prop_map(|(code, message)| Error::Status {
            status: FailureStatus::new(code).unwrap(),
            message,
        }),
        any::<String>().prop_map(Error::Internal),
        Just(Error::PermissionDenied),
        Just(Error::ReadOnly),
        Just(Error::UnsupportedOperation),
        Just(Error::UnsupportedPath),
    ]
}

fn outcome() -> impl Strategy<Value = Result<Option<Parts>, Error>> {
    prop_oneof![option::of(parts()).prop_map(Ok), error().prop_map(Err)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        any::<String>().prop_map(|word| Operation::from(word.as_str())),
        Just(Operation::Read),
        Just(Operation::Renew),
        Just(Operation::Revoke),
        Just(Operation::Rollback),
    ]
}

fn request(operation: &str, data: &str) -> pb::Request {
    pb::Request {
        operation: operation.to_owned(),
        data: data.to_owned(),
        ..pb::Request::default()
    }
}

fn context(operation: Operation, issue_time: Option<Timestamp>) -> Context {
    let options = pb::LeaseOptions {
        issue_time,
        ..pb::LeaseOptions::default()
    };
    let secret = pb::Secret {
        lease_options: Some(options),
        internal_data: "null".to_owned(),
        ..pb::Secret::default()
    };
    let request = pb::Request {
        secret: Some(secret),
        ..request(operation.as_str(), "null")
    };
    Context::from_request(
        &decode_request(Some(request)).unwrap(),
        OffsetDateTime::now_utc(),
    )
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

proptest! {
    #[test]
    fn every_reply_can_be_read(
        outcome in outcome(),
        operation in operation(),
        seconds in any::<i64>(),
        nanos in any::<i32>(),
        has_time in any::<bool>(),
    ) {
        let context = context(operation, has_time.then_some(Timestamp { seconds, nanos }));
        let outcome = outcome.map(|parts| parts.map(Parts::response));
        let reply = encode_outcome(&outcome, &context);
        if let Some(response) = &reply.response {
            prop_assert!(is_object(&response.data), "{}", response.data);
            prop_assert!(response.auth.is_none());
        }
        if let Some(secret) = reply.response.and_then(|response| response.secret) {
            prop_assert!(is_object(&secret.internal_data), "{}", secret.internal_data);
            let options = secret.lease_options.unwrap();
            let issued = options.issue_time.unwrap();
            prop_assert!((-62_135_596_800..253_402_300_800).contains(&issued.seconds));
            prop_assert!((0..1_000_000_000).contains(&issued.nanos));
            prop_assert!(options.ttl >= 0 && options.max_ttl >= 0);
        }
        if let Some(error) = reply.err {
            prop_assert!(error.err_type <= 10, "hosts take the others for success");
            prop_assert!(error.err_type != 3 || (400..600).contains(&error.err_code));
        }
    }

    #[test]
    fn answers_come_through_unchanged(parts in parts()) {
        let response = parts.response();
        let expected = (response.data.clone(), response.lease.clone());
        let reply = encode_outcome(&Ok(Some(response)), &context(Operation::Read, None)).response.unwrap();
        prop_assert_eq!(serde_json::from_str::<Map<_, _>>(&reply.data).unwrap(), expected.0);
        let internal = reply.secret.map(|secret| serde_json::from_str::<Map<_, _>>(&secret.internal_data).unwrap());
        prop_assert_eq!(internal, expected.1.map(|lease| lease.internal_data));
    }

    #[test]
    fn no_text_makes_decoding_panic_or_leak(text in "\\PC*") {
        let decoded = decode_request(Some(request("read", &text)));
        if let Err(error) = decoded {
            prop_assert_eq!(error, DecodeError::NotAnObject("data"));
        }
    }

    #[test]
    fn durations_come_back(nanoseconds in 0..=i64::MAX) {
        let decoded = duration::decode_duration(nanoseconds);
        prop_assert_eq!(duration::encode_duration(decoded), nanoseconds);
    }
}

#[test]
fn hosts_say_nothing_in_several_ways() {
    for data in ["null", "{}", " {} "] {
        assert!(
            decode_request(Some(request("read", data)))
                .unwrap()
                .data
                .is_empty(),
            "{data}"
        );
    }
    for data in [
        "",
        " ",
        "[]",
        "1",
        "\"x\"",
        "{",
        "{}{}",
        &"[".repeat(100_000),
        &"{\"a\":".repeat(100_000),
    ] {
        assert_eq!(
            decode_request(Some(request("read", data))).err(),
            Some(DecodeError::NotAnObject("data"))
        );
    }
    assert_eq!(decode_request(None).err(), Some(DecodeError::NoRequest));
}

#[test]
fn big_numbers_keep_their_digits() {
    let text = r#"{"a":9007199254740993,"b":18446744073709551615,"c":-9223372036854775808}"#;
    let decoded = decode_request(Some(request("update", text))).unwrap();
    assert_eq!(Value::Object(decoded.data).to_string(), text);
}

#[test]
fn a_request_is_decoded_whole() {
    let options = pb::LeaseOptions {
        ttl: 3_600_000_000_000,
        max_ttl: 7_200_000_000_000,
        increment: -1,
        issue_time: Some(Timestamp {
            seconds: 1_764_000_000,
            nanos: 5,
        }),
        renewable: true,
    };
    let secret = pb::Secret {
        lease_options: Some(options),
        internal_data: r#"{"secret_type":"x"}"#.to_owned(),
        lease_id: "lease".to_owned(),
    };
    let connection = pb::Connection {
        remote_addr: "10.0.0.7".to_owned(),
        ..pb::Connection::default()
    };
    let request = pb::Request {
        id: "id".to_owned(),
        path: "creds/reader".to_owned(),
        secret: Some(secret),
        connection: Some(connection),
        ..request("renew", r#"{"ttl":"1h"}"#)
    };
    let request = decode_request(Some(request)).unwrap();
    assert_eq!(
        (request.id.as_str(), request.path.as_str()),
        ("id", "creds/reader")
    );
    assert_eq!(request.operation, Operation::Renew);
    assert_eq!(request.remote_addr, "10.0.0.7");
    assert_eq!(Value::Object(request.data), json!({"ttl": "1h"}));
    let lease = request.lease.unwrap();
    assert_eq!(
        Value::Object(lease.internal_data),
        json!({"secret_type": "x"})
    );
    assert_eq!(lease.ttl, Duration::from_secs(3600));
    assert_eq!(lease.max_ttl, Duration::from_secs(7200));
    assert_eq!(lease.increment, Duration::ZERO);
    assert_eq!(lease.issue_time.unwrap().unix_timestamp(), 1_764_000_000);
    assert_eq!(lease.lease_id, "lease");
}

#[test]
fn the_year_one_is_no_issue_time() {
    let request = |seconds, nanos| {
        let options = pb::LeaseOptions {
            issue_time: Some(Timestamp { seconds, nanos }),
            ..pb::LeaseOptions::default()
        };
        let secret = pb::Secret {
            lease_options: Some(options),
            internal_data: "{}".to_owned(),
            ..pb::Secret::default()
        };
        pb::Request {
            secret: Some(secret),
            ..request("revoke", "null")
        }
    };
    for (seconds, nanos) in [(-62_135_596_800, 0), (i64::MAX, 0), (0, -1), (0, i32::MAX)] {
        let lease = decode_request(Some(request(seconds, nanos)))
            .unwrap()
            .lease
            .unwrap();
        assert_eq!(lease.issue_time, None, "{seconds} {nanos}");
    }
}

#[test]
fn a_renewal_keeps_its_issue_time() {
    let lease = Lease {
        ttl: Duration::ZERO,
        max_ttl: Duration::ZERO,
        renewable: true,
        internal_data: Map::new(),
    };
    let issued = Timestamp {
        seconds: 1_764_000_000,
        nanos: 7,
    };
    let outcome = Ok(Some(Response::default().with_lease(lease)));
    let reply = encode_outcome(&outcome, &context(Operation::Renew, Some(issued)));
    assert_eq!(
        reply
            .response
            .unwrap()
            .secret
            .unwrap()
            .lease_options
            .unwrap()
            .issue_time,
        Some(issued)
    );
}

#[test]
fn errors_have_their_kinds() {
    let bad_gateway = || Error::Status {
        status: FailureStatus::BAD_GATEWAY,
        message: "text".to_owned(),
    };
    let cases = [
        (bad_gateway(), Operation::Read, (3, "text", 502)),
        (bad_gateway(), Operation::Revoke, (0, "text", 0)),
        (bad_gateway(), Operation::Rollback, (0, "text", 0)),
        (
            Error::Internal("text".to_owned()),
            Operation::Read,
            (0, "text", 0),
        ),
        (
            Error::ReadOnly,
            Operation::Update,
            (0, "cannot write to readonly storage", 0),
        ),
        (
            Error::UnsupportedOperation,
            Operation::Read,
            (5, "unsupported operation", 0),
        ),
        (
            Error::UnsupportedPath,
            Operation::Read,
            (6, "unsupported path", 0),
        ),
        (
            Error::PermissionDenied,
            Operation::Read,
            (8, "permission denied", 0),
        ),
        (
            Error::BadRequest("text".to_owned()),
            Operation::Rollback,
            (1, "text", 0),
        ),
    ];
    for (error, operation, (kind, message, code)) in cases {
        let reply = encode_outcome(&Err(error.clone()), &context(operation.clone(), None));
        let expected = pb::ProtoError {
            err_type: kind,
            err_msg: message.to_owned(),
            err_code: code,
        };
        assert_eq!(
            (reply.response, reply.err),
            (None, Some(expected)),
            "{error:?} {operation:?}"
        );
    }
}

#[test]
fn bad_input_is_an_error_response() {
    let outcome = Err(Error::BadRequest("no \"x\"".to_owned()));
    let reply = encode_outcome(&outcome, &context(Operation::Update, None));
    assert_eq!(reply.err, None);
    assert_eq!(reply.response.unwrap().data, r#"{"error":"no \"x\""}"#);
}

#[test]
fn existence_has_three_answers_and_an_error() {
    let flags = |found| {
        let reply = encode_existence(&found);
        (
            reply.check_found,
            reply.exists,
            reply.err.map(|error| error.err_type),
        )
    };
    assert_eq!(flags(Ok(None)), (false, false, None));
    assert_eq!(flags(Ok(Some(false))), (true, false, None));
    assert_eq!(flags(Ok(Some(true))), (true, true, None));
    assert_eq!(
        flags(Err(Error::BadRequest(String::new()))),
        (false, false, Some(1))
    );
    assert_eq!(flags(Err(Error::UnsupportedPath)), (false, false, Some(6)));
}
