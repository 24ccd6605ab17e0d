//! Sending one request: the connection, its limits, and reading the answer.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::Method;
use reqwest::Response;
use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::base_url::BaseUrl;
use super::deadline::Deadline;
use super::error::Call;
use super::error::Error;
use super::http_service::Http;
use super::http_service::SendError;
use super::observer::Observer;
use super::observer::call_name;
use super::printable;
use super::response::ResponseHead;
use super::response::malformed;
use super::response_body;
use super::response_body::BodyError;
use super::response_body::BodyReader;
use super::response_body::LimitedBody;
use super::retry::Failure;
use super::retry::Policy;
use super::retry::Repeat;
use super::retry::RetryClass;
use super::retry::retry_after;
use crate::duration_text::format_duration;

/// The most that is read of a list, which the API does not page.
pub(super) const LIST_LIMIT: usize = 16 << 20;
/// The most that is read of the answer about one object.
pub(super) const OBJECT_LIMIT: usize = 1 << 20;
/// The most that is read of an answer that reports a failure; the rest is ignored.
const FAILURE_LIMIT: usize = 64 << 10;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A request to the API.
pub(super) struct Request {
    body: Option<Bytes>,
    limit: usize,
    method: Method,
    /// From `/v2` on, without a query.
    path: String,
    query: String,
    repeat: Repeat,
}

impl Request {
    /// A request without a body, which may be repeated.
    pub(super) fn new(method: Method, path: impl Into<String>, limit: usize) -> Self {
        Self {
            body: None,
            limit,
            method,
            path: path.into(),
            query: String::new(),
            repeat: Repeat::Always,
        }
    }

    /// Adds a body of JSON.
    pub(super) fn json(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it again only as `repeat` allows.
    pub(super) fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Adds `?query`, which must be encoded already.
    pub(super) fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// How errors name it.
    pub(super) fn call(&self, attempts: u32) -> Call {
        Call::new(self.method.as_str(), &self.path, attempts)
    }
}

/// The way to one organization's API.
pub(super) struct Transport {
    pub(super) authorization: HeaderValue,
    pub(super) base_url: BaseUrl,
    pub(super) http: Http,
    pub(super) limit: usize,
    pub(super) permits: Semaphore,
    pub(super) policy: Policy,
    /// Who hears of each attempt.
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
    /// The proxy that requests go through.
    pub(super) proxy: Option<String>,
    pub(super) request_timeout: Duration,
    /// Astra's time, and when the newest answer told it.
    pub(super) clock: Mutex<Option<(OffsetDateTime, Instant)>>,
}

impl Transport {
    /// What time it is by Astra's clock; `None` before the first answer.
    pub(super) fn astra_time(&self) -> Option<OffsetDateTime> {
        let (time, since) = (*self.clock.lock())?;
        let elapsed = time::Duration::try_from(since.elapsed()).ok()?;
        time.checked_add(elapsed)
    }

    /// Sends a request, again where that is safe, and returns what `reader` makes of the body of its
    /// success.
    pub(super) async fn send<R: BodyReader>(
        &self,
        request: &Request,
        reader: &R,
        deadline: Deadline,
    ) -> Result<R::Output, Failure> {
        self.policy
            .run(deadline, |number| {
                self.attempt(request, reader, deadline, number)
            })
            .await
    }

    async fn attempt<R: BodyReader>(
        &self,
        request: &Request,
        reader: &R,
        deadline: Deadline,
        number: u32,
    ) -> Result<R::Output, Failure> {
        // Only a failure needs a name.
        let call = || request.call(number);
        // Held until the answer is read, and not while waiting to try again.
        let waiting = Instant::now();
        let permit = tokio::time::timeout_at(deadline.instant(), self.permits.acquire()).await;
        let waited = waiting.elapsed();
        if let Some(observer) = self.observer.get() {
            observer.waited(waited);
        }
        let Ok(Ok(_permit)) = permit else {
            self.tell(request, Some("busy"), number, waited);
            return Err(Failure::not_applied(Error::Busy {
                call: call(),
                limit: self.limit,
            }));
        };
        let time = deadline.attempt(self.request_timeout);
        if time.is_zero() {
            let stage = "the time allowed was over before it could be sent".to_owned();
            return Err(Failure::not_applied(Error::TimedOut {
                call: call(),
                stage,
            }));
        }
        let sending = Instant::now();
        let exchange = self.exchange(request, reader, number);
        let Ok(taken) = tokio::time::timeout(time, exchange).await else {
            self.tell(request, Some("timed-out"), number, sending.elapsed());
            let stage = format!("no complete answer within {}", format_duration(time));
            return Err(self.interrupted(
                request,
                Error::TimedOut {
                    call: call(),
                    stage,
                },
            ));
        };
        let failure = taken.as_ref().err().map(|failure| failure.error.kind());
        self.tell(request, failure, number, sending.elapsed());
        taken
    }

    /// Tells the observer of an attempt that ended.
    fn tell(&self, request: &Request, failure: Option<&'static str>, number: u32, took: Duration) {
        if let Some(observer) = self.observer.get() {
            let call = call_name(request.method.as_str(), &request.path);
            observer.attempted(call, failure, number > 1, took);
        }
    }

    async fn exchange<R: BodyReader>(
        &self,
        request: &Request,
        reader: &R,
        number: u32,
    ) -> Result<R::Output, Failure> {
        let call = || request.call(number);
        let mark = if request.query.is_empty() { "" } else { "?" };
        let url = [self.base_url.as_str(), &request.path, mark, &request.query].concat();
        let mut builder = self
            .http
            .client
            .request(request.method.clone(), url)
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, JSON);
        if let Some(body) = &request.body {
            builder = builder
                .header(header::CONTENT_TYPE, JSON)
                .body(body.clone());
        }
        let sent = self.http.send(builder).await;
        let mut response = sent.map_err(|error| self.failed(request, call(), error))?;
        let headers = response.headers();
        let theirs = their_time(headers);
        if let Some(time) = theirs {
            *self.clock.lock() = Some((time.into(), Instant::now()));
        }
        let head = ResponseHead {
            is_encoded: headers
                .get(header::CONTENT_ENCODING)
                .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")),
            location: redirect_target(&response),
            retry_after: asked_wait(headers, theirs),
            clock: theirs.map(clock_difference),
            status: response.status(),
        };
        if !head.status.is_success() {
            let body = response_body::beginning(&mut response, FAILURE_LIMIT).await;
            return Err(head.classify(&body, call(), self.base_url.as_str(), request.repeat));
        }
        if head.is_encoded {
            return Err(malformed(
                call(),
                "it is compressed, which was not asked for".to_owned(),
            ));
        }
        let mut body = LimitedBody::new(&mut response, request.limit, self.http.may_use_threads());
        reader.read(&mut body).await.map_err(|unread| match unread {
            BodyError::Broken(error) => self.failed(request, call(), SendError::from(&error)),
            BodyError::Malformed(reason) => malformed(call(), reason),
            BodyError::Reported(detail) => head.classify_reported(detail, call(), request.repeat),
            BodyError::TooLarge => Failure {
                maybe_applied: true,
                ..Failure::not_applied(Error::TooLarge {
                    call: call(),
                    limit: request.limit,
                })
            },
        })
    }

    /// The failure of a request that got no complete answer.
    fn failed(&self, request: &Request, call: Call, error: SendError) -> Failure {
        let host = match &self.proxy {
            Some(proxy) => format!("{} (through the proxy {proxy})", self.base_url),
            None => self.base_url.to_string(),
        };
        match error {
            SendError::Unreachable(cause) => Failure {
                retry: RetryClass::Transient(None),
                ..Failure::not_applied(Error::Unreachable { call, cause, host })
            },
            SendError::Invalid(reason) => Failure::not_applied(Error::InvalidArgument { reason }),
            SendError::Disconnected(cause) => {
                self.interrupted(request, Error::Disconnected { call, cause, host })
            }
        }
    }

    /// The failure of a request that was sent, at least in part.
    fn interrupted(&self, request: &Request, error: Error) -> Failure {
        Failure {
            retry: match request.repeat {
                Repeat::Always => RetryClass::Transient(None),
                Repeat::RefusedSecond | Repeat::Unsent => RetryClass::Never,
            },
            ..Failure::unknown(error)
        }
    }
}

/// When the answer was made, by the other side's clock.
fn their_time(headers: &HeaderMap) -> Option<SystemTime> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

/// How many seconds this machine's clock is ahead of the other side's, to the second.
fn clock_difference(theirs: SystemTime) -> i64 {
    (OffsetDateTime::now_utc() - OffsetDateTime::from(theirs)).whole_seconds()
}

fn asked_wait(headers: &HeaderMap, now: Option<SystemTime>) -> Option<Duration> {
    let asked = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    retry_after(asked, now.unwrap_or_else(SystemTime::now))
}

fn redirect_target(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let mut url = response.url().join(location).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    // What has no authority, such as `data:`, cannot hold a password and is not changed.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(printable::clean(url.as_str()).chars().take(200).collect())
}
