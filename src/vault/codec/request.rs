//! Requests from the wire.

use serde_json::Map;
use serde_json::Value;

use super::duration::decode_duration;
use super::duration::decode_instant;
use crate::proto::pb;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::Request;

/// A request that makes no sense.  The host's fault; it does not hold what the host sent, which may
/// be a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The call came without a request.
    #[error("the host sent a call without a request in it")]
    NoRequest,
    /// A text that must hold a JSON object holds something else.
    #[error("the host sent a request whose {0} is not the text of a JSON object")]
    NotAnObject(&'static str),
}

/// Decodes a request.
pub fn decode_request(request: Option<pb::Request>) -> Result<Request, DecodeError> {
    let request = request.ok_or(DecodeError::NoRequest)?;
    Ok(Request {
        id: request.id,
        operation: Operation::from(request.operation.as_str()),
        path: request.path,
        data: decode_object("data", &request.data)?,
        lease: request.secret.map(decode_lease).transpose()?,
        display_name: request.display_name,
        entity_id: request.entity_id,
        mount_point: request.mount_point,
        mount_type: request.mount_type,
        client_token_accessor: request.client_token_accessor,
        remote_addr: request
            .connection
            .map(|connection| connection.remote_addr)
            .unwrap_or_default(),
    })
}

fn decode_lease(secret: pb::Secret) -> Result<LeaseInfo, DecodeError> {
    let options = secret.lease_options.unwrap_or_default();
    Ok(LeaseInfo {
        internal_data: decode_object("lease data", &secret.internal_data)?,
        ttl: decode_duration(options.ttl),
        max_ttl: decode_duration(options.max_ttl),
        increment: decode_duration(options.increment),
        issue_time: decode_instant(options.issue_time),
        lease_id: secret.lease_id,
    })
}

/// `null` is an empty object.
fn decode_object(what: &'static str, text: &str) -> Result<Map<String, Value>, DecodeError> {
    serde_json::from_str::<Option<Map<String, Value>>>(text)
        .map(Option::unwrap_or_default)
        .map_err(|_| DecodeError::NotAnObject(what))
}
