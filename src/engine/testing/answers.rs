//! What an answer says.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;

use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Response;

/// The message of an outcome that is the caller's fault.
pub fn refused(outcome: HandlerResult) -> String {
    match outcome {
        Err(Error::BadRequest(text)) => text,
        Err(error) => panic!("not the caller's fault: {error:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

/// The message of a renewal that is refused: an error, not an error response, to the host.
pub fn not_renewed(outcome: HandlerResult) -> String {
    match outcome {
        Err(Error::Internal(text)) => text,
        Err(error) => panic!("not a refusal of a renewal: {error:?}"),
        Ok(_) => panic!("it was renewed"),
    }
}

/// The answer's warnings.
pub fn warnings(response: Option<Response>) -> Vec<String> {
    response.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

/// One text of an answer's data.
pub fn text(response: &Response, key: &str) -> String {
    match response.data().get(key) {
        Some(Value::String(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    }
}
