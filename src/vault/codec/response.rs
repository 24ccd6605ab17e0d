//! Answers for the wire.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use super::duration::encode_duration;
use super::duration::encode_instant;
use super::encode_error;
use crate::proto::pb;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Lease;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::SpecialPaths;

/// What encoding an answer needs to know of the request.
#[derive(Clone, Debug)]
pub struct Context {
    operation: Operation,
    issue_time: OffsetDateTime,
}

impl Context {
    /// The context of `request`; a renewal keeps the lease's issue time, anything else begins now.
    pub fn from_request(request: &Request, now: OffsetDateTime) -> Self {
        let issue_time = request.lease.as_ref().and_then(|lease| lease.issue_time);
        Self {
            operation: request.operation.clone(),
            issue_time: issue_time.unwrap_or(now),
        }
    }
}

/// Encodes what handling a request came to.
pub fn encode_outcome(outcome: &HandlerResult, context: &Context) -> pb::HandleRequestReply {
    match outcome {
        Ok(response) => pb::HandleRequestReply {
            response: response
                .as_ref()
                .map(|response| encode_response(response, context.issue_time)),
            ..pb::HandleRequestReply::default()
        },
        Err(Error::BadRequest(message)) if context.operation != Operation::Rollback => {
            pb::HandleRequestReply {
                response: Some(error_response(message)),
                ..pb::HandleRequestReply::default()
            }
        }
        Err(error) => pb::HandleRequestReply {
            err: Some(encode_error(error, &context.operation)),
            ..pb::HandleRequestReply::default()
        },
    }
}

/// Encodes what an existence check found.
pub fn encode_existence(found: &Result<Option<bool>, Error>) -> pb::HandleExistenceCheckReply {
    match found {
        Ok(exists) => pb::HandleExistenceCheckReply {
            check_found: exists.is_some(),
            exists: exists.unwrap_or_default(),
            err: None,
        },
        Err(error) => pb::HandleExistenceCheckReply {
            err: Some(encode_error(error, &Operation::Update)),
            ..pb::HandleExistenceCheckReply::default()
        },
    }
}

/// The answer to `SpecialPaths`.
pub fn encode_paths(paths: SpecialPaths) -> pb::SpecialPathsReply {
    let SpecialPaths {
        root,
        unauthenticated,
        local_storage,
        seal_wrap_storage,
    } = paths;
    let paths = pb::Paths {
        root,
        unauthenticated,
        local_storage,
        seal_wrap_storage,
        ..pb::Paths::default()
    };
    pb::SpecialPathsReply { paths: Some(paths) }
}

/// The answer that hosts turn into HTTP 400: an object with nothing but `error`.
fn error_response(message: &str) -> pb::Response {
    let mut data = Map::new();
    data.insert("error".to_owned(), message.into());
    pb::Response {
        data: encode_object(&data),
        ..pb::Response::default()
    }
}

fn encode_response(response: &Response, issue_time: OffsetDateTime) -> pb::Response {
    pb::Response {
        secret: response
            .lease
            .as_ref()
            .map(|lease| encode_lease(lease, issue_time)),
        data: encode_object(&response.data),
        warnings: response.warnings.clone(),
        ..pb::Response::default()
    }
}

fn encode_lease(lease: &Lease, issue_time: OffsetDateTime) -> pb::Secret {
    pb::Secret {
        lease_options: Some(pb::LeaseOptions {
            ttl: encode_duration(lease.ttl),
            renewable: lease.renewable,
            increment: 0,
            issue_time: Some(encode_instant(issue_time)),
            max_ttl: encode_duration(lease.max_ttl),
        }),
        internal_data: encode_object(&lease.internal_data),
        lease_id: String::new(),
    }
}

/// An empty object.
const EMPTY: &str = "{}";

fn encode_object(object: &Map<String, Value>) -> String {
    // Room for a credential, so that no copy is left behind each time the text grows.
    let mut text = Vec::with_capacity(1_024);
    // A map of JSON values always has a text, so the fallback is only there for the type.
    match serde_json::to_writer(&mut text, object) {
        Ok(()) => String::from_utf8(text).unwrap_or_else(|_| EMPTY.to_owned()),
        Err(_) => EMPTY.to_owned(),
    }
}
