//! What faults do to answers.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use serde_json::Value;
use time::OffsetDateTime;

use crate::archive;
use crate::clock;
use crate::fault::kind::Ending;
use crate::fault::kind::Fault;
use crate::fault::kind::FaultBody;
use crate::fault::kind::Malformation;
use crate::fault::kind::RedirectTarget;
use crate::fault::kind::RetryAfter;
use crate::ids;
use crate::reply::HTML;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::reply::TEXT;
use crate::request::Request;

/// How an answer is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Mode {
    #[default]
    Whole,
    /// RST instead of an answer.
    Reset,
    /// No answer.
    Silence,
    /// Only the first bytes of the body (half of it if `None`).
    Cut {
        bytes: Option<usize>,
        chunked: bool,
        reset: bool,
        hang: bool,
    },
    Slow {
        bytes: usize,
        every: Duration,
    },
}

/// What is answered instead of processing the request, and how.
pub(crate) struct Replacement {
    pub(crate) reply: Reply,
    pub(crate) mode: Mode,
}

impl Replacement {
    /// No answer.
    fn nothing(mode: Mode) -> Self {
        Self {
            reply: Reply::empty(500),
            mode,
        }
    }
}

impl From<Reply> for Replacement {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            mode: Mode::Whole,
        }
    }
}

/// What the answer of a processed request needs to know.
pub(crate) struct Answering<'a> {
    pub(crate) request: &'a Request,
    pub(crate) tls: bool,
    pub(crate) now: OffsetDateTime,
    /// The client id of another token.
    pub(crate) foreign_client: &'a str,
}

/// What `fault` does before the request is processed.
pub(crate) fn before(fault: &Fault, answering: &Answering<'_>) -> Option<Replacement> {
    let replacement = match fault {
        Fault::ResetBeforeCommit {} => Replacement::nothing(Mode::Reset),
        Fault::Hang { committed: false } => Replacement::nothing(Mode::Silence),
        Fault::Status {
            status,
            body,
            retry_after,
            committed: false,
        } => Replacement {
            reply: status_reply(*status, *body, *retry_after, answering.now),
            mode: mode_of(*body),
        },
        Fault::RootExpired { .. } => Reply::unknown_token().into(),
        Fault::OkWithErrors {} => Reply::errors(200, 340_000, "injected failure").into(),
        Fault::Redirect {
            status,
            to,
            committed: false,
        } => redirect(*status, to, answering).into(),
        _ => return None,
    };
    Some(replacement)
}

/// How an injected body is sent.
fn mode_of(body: FaultBody) -> Mode {
    match body {
        FaultBody::Half => Mode::Cut {
            bytes: None,
            chunked: false,
            reset: false,
            hang: false,
        },
        _ => Mode::Whole,
    }
}

fn redirect(status: u16, to: &RedirectTarget, answering: &Answering<'_>) -> Reply {
    let location = location(to, answering.request, answering.tls);
    Reply::empty(status).with(header::LOCATION, location)
}

fn location(to: &RedirectTarget, request: &Request, tls: bool) -> String {
    let own = request.header(header::HOST).unwrap_or("127.0.0.1");
    let scheme = if tls { "https" } else { "http" };
    let (scheme, host) = match to {
        RedirectTarget::SameHost => (scheme, own),
        RedirectTarget::OtherHost(host) => (scheme, host.as_str()),
        RedirectTarget::PlainHttp => ("http", own),
    };
    let query = request
        .query
        .as_ref()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    format!("{scheme}://{host}{}{query}", request.path)
}

fn status_reply(
    status: u16,
    body: FaultBody,
    retry_after: Option<RetryAfter>,
    now: OffsetDateTime,
) -> Reply {
    let reply = match body {
        FaultBody::Errors | FaultBody::Half => Reply::errors(status, 340_000, "injected failure"),
        FaultBody::String => Reply::string(status, "injected failure"),
        FaultBody::Null => Reply::null(status),
        FaultBody::Empty => Reply::empty(status),
        FaultBody::Html => Reply::new(
            status,
            HTML,
            format!(
                "<!DOCTYPE html>\n<html><head><title>ERROR: The request could not be satisfied\
                 </title></head><body><h1>{status}</h1></body></html>\n"
            ),
        ),
        FaultBody::BlockPage => Reply::new(
            status,
            HTML,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Access blocked</title></head><body>\
             <p>Your organization's policy blocked this page. Reason: data loss prevention.</p>\
             </body></html>\n",
        ),
        FaultBody::Envoy => Reply::new(
            status,
            TEXT,
            "upstream connect error or disconnect/reset before headers. reset reason: injected",
        ),
    };
    let Some(retry_after) = retry_after else {
        return reply;
    };
    let value = match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            clock::http_date(clock::later(now, Duration::from_secs(seconds)))
        }
        RetryAfter::Garbage => "soon, perhaps".to_owned(),
        RetryAfter::Huge => "99999999999999999999".to_owned(),
    };
    reply.with(header::RETRY_AFTER, value)
}

/// What `fault` does to the answer of a processed request.
pub(crate) fn after(fault: &Fault, handled: &mut Handled, answering: &Answering<'_>) -> Mode {
    match fault {
        Fault::Status {
            status,
            body,
            retry_after,
            ..
        } => {
            handled.reply = status_reply(*status, *body, *retry_after, answering.now);
            handled.minted = false;
            mode_of(*body)
        }
        Fault::Redirect { status, to, .. } => {
            handled.reply = redirect(*status, to, answering);
            handled.minted = false;
            Mode::Whole
        }
        Fault::ResetAfterCommit {} => Mode::Reset,
        Fault::Hang { .. } => Mode::Silence,
        Fault::ResetMidBody { bytes } => Mode::Cut {
            bytes: *bytes,
            chunked: false,
            reset: true,
            hang: false,
        },
        Fault::Truncate {
            bytes,
            chunked,
            then,
        } => Mode::Cut {
            bytes: *bytes,
            chunked: *chunked,
            reset: false,
            hang: *then == Ending::Hang,
        },
        Fault::SlowBody { bytes, every_ms } => Mode::Slow {
            bytes: *bytes,
            every: Duration::from_millis(*every_ms),
        },
        Fault::Gzip {} => compress(handled),
        other => {
            change_body(other, handled, answering);
            Mode::Whole
        }
    }
}

/// Sends the body compressed, although the client did not ask for it.
fn compress(handled: &mut Handled) -> Mode {
    handled.minted = false;
    match archive::gzip(&handled.reply.body) {
        Ok(body) => handled.reply.body = body.into(),
        Err(error) => {
            tracing::error!(%error, "cannot compress the body");
            return Mode::Reset;
        }
    }
    let encoding = (header::CONTENT_ENCODING, "gzip".to_owned());
    handled.reply.headers.push(encoding);
    Mode::Whole
}

/// The faults that change what the body says.
fn change_body(fault: &Fault, handled: &mut Handled, answering: &Answering<'_>) {
    match fault {
        Fault::MalformedJson { how } => {
            handled.minted = false;
            malform(handled, *how);
        }
        Fault::WrongHash {} => {
            handled.minted = false;
            edit(handled, |answer| {
                if let Some(client_id) = answer.get("clientId").and_then(Value::as_str) {
                    let token = ids::token(client_id, &ids::hash("of another secret"));
                    answer.insert("token".to_owned(), token.into());
                }
            });
        }
        Fault::ForeignClient {} => {
            handled.minted = false;
            let foreign = answering.foreign_client;
            edit(handled, |answer| {
                let hash = answer.get("secret").and_then(Value::as_str).map(ids::hash);
                if let Some(hash) = hash {
                    answer.insert("clientId".to_owned(), foreign.into());
                    answer.insert("token".to_owned(), ids::token(foreign, &hash).into());
                }
            });
        }
        Fault::MissingFields { fields } => {
            let lost = |name: &str| fields.iter().any(|field| field == name);
            if lost("clientId") || (lost("secret") && lost("token")) {
                handled.minted = false;
            }
            handled.reply.body = without(&handled.reply.body, fields);
        }
        Fault::HugeBody { mib } => {
            let mut body = handled.reply.body.to_vec();
            body.resize(body.len().max(mib.saturating_mul(1 << 20)), b' ');
            handled.reply.body = body.into();
        }
        _ => {}
    }
}

fn malform(handled: &mut Handled, how: Malformation) {
    let body = &handled.reply.body;
    handled.reply.body = match how {
        Malformation::Cut => {
            // Of a created token, this is inside the secret.
            let half = body.len() / 2;
            body.slice(..half)
        }
        Malformation::Trailing => [body, b"}garbage".as_slice()].concat().into(),
        Malformation::WrongTypes => {
            edit(handled, |answer| {
                answer.insert("clientId".to_owned(), Value::Null);
                answer.insert("roles".to_owned(), "not an array".into());
                if answer.contains_key("clients") {
                    answer.insert("clients".to_owned(), "not an array".into());
                }
            });
            return;
        }
    };
}

/// Lets an answer name another organization than the caller's.
pub(crate) fn name_foreign_org(handled: &mut Handled, foreign_org: &str) {
    edit(handled, |answer| {
        for name in ["orgId", "OrgID"] {
            if let Some(own) = answer.get_mut(name) {
                *own = foreign_org.into();
            }
        }
        // `GET /v2/currentOrg` answers the id alone; in other answers it is not an organization's.
        if answer.len() == 1
            && let Some(own) = answer.get_mut("id")
        {
            *own = foreign_org.into();
        }
    });
}

/// Changes a JSON object in the body; other bodies stay.
fn edit(handled: &mut Handled, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    if let Ok(Value::Object(mut answer)) = serde_json::from_slice(&handled.reply.body) {
        change(&mut answer);
        handled.reply.body = Value::Object(answer).to_string().into();
    }
}

fn without(body: &Bytes, fields: &[String]) -> Bytes {
    fn strip(value: &mut Value, fields: &[String], depth: u8) {
        match value {
            Value::Object(object) => {
                object.retain(|name, _| !fields.contains(name));
                if depth > 0 {
                    object
                        .values_mut()
                        .for_each(|inner| strip(inner, fields, depth - 1));
                }
            }
            Value::Array(items) => {
                items
                    .iter_mut()
                    .for_each(|inner| strip(inner, fields, depth));
            }
            _ => {}
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            strip(&mut value, fields, 1);
            value.to_string().into()
        }
        Err(_) => body.clone(),
    }
}
