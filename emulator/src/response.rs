//! The HTTP response to a request: status, headers, and the steps of its body.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use time::OffsetDateTime;

use crate::clock;
use crate::fault::apply::Mode;
use crate::reply::Reply;
use crate::reply_body::ReplyBody;
use crate::reply_body::Step;

/// The response that sends `reply` in the way of `mode`; `body` makes its body of steps.
pub(crate) fn build(
    reply: Reply,
    mode: Mode,
    now: OffsetDateTime,
    elapsed: Duration,
    body: impl FnOnce(VecDeque<Step>) -> ReplyBody,
) -> Response<ReplyBody> {
    let bare = matches!(reply.status, 100..200 | 204 | 304);
    let announced = match mode {
        Mode::Cut { chunked: true, .. } => None,
        _ => (!bare).then_some(reply.body.len()),
    };
    let mut response = Response::new(body(steps(reply.body, mode)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(content_type) = reply.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Ok(date) = HeaderValue::from_str(&clock::http_date(now)) {
        headers.insert(header::DATE, date);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("istio-envoy"));
    headers.insert(
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=63072000; include-subdomains"),
    );
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    headers.insert("x-envoy-upstream-service-time", millis.into());
    if let Some(length) = announced {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Time for written bytes to leave before a connection is broken.
const FLUSH_TIME: Duration = Duration::from_millis(20);

fn steps(body: Bytes, mode: Mode) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    match mode {
        Mode::Cut {
            bytes, reset, hang, ..
        } => {
            let keep = bytes
                .unwrap_or(body.len() / 2)
                .min(body.len().saturating_sub(1));
            if keep > 0 {
                steps.push_back(Step::Data(body.slice(..keep)));
            }
            steps.push_back(Step::Wait(FLUSH_TIME));
            steps.push_back(if hang { Step::Hang } else { Step::Abort(reset) });
        }
        Mode::Slow { bytes, every } => {
            let mut rest = body;
            while !rest.is_empty() {
                let chunk = rest.split_to(bytes.min(rest.len()));
                steps.push_back(Step::Wait(every));
                steps.push_back(Step::Data(chunk));
            }
        }
        Mode::Whole | Mode::Reset | Mode::Silence => {
            if !body.is_empty() {
                steps.push_back(Step::Data(body));
            }
        }
    }
    steps
}
