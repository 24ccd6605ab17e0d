//! What the listeners, the control API and the library API share; the path of one request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::body::ReplyBody;
use crate::body::Step;
use crate::clock;
use crate::endpoints::Call;
use crate::fault::Fault;
use crate::fault::Fired;
use crate::limiter::Gauge;
use crate::limiter::Inside;
use crate::mangle;
use crate::mangle::Instead;
use crate::mangle::Mode;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::World;
use crate::state::journal::JournalEntry;
use crate::wire::Afterwards;
use crate::wire::Conn;
use crate::wire::End;

/// One emulator.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) gauge: Arc<Gauge>,
    /// Told after every request and every change from outside.
    pub(crate) changed: Notify,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault rule drops the connection")]
pub(crate) struct Dropped;

/// Marks what an answer delivers, once it is out.
pub(crate) struct Delivery {
    shared: Arc<Shared>,
    seq: u64,
    minted: Option<Arc<str>>,
}

impl Delivery {
    /// The last bytes are about to be written. Marked now, because a client that has read them may
    /// ask for the count of orphans at once.
    pub(crate) fn begin(&self) {
        self.mark(true);
    }

    /// Everything was written.
    pub(crate) fn complete(self) {
        self.shared.changed.notify_waiters();
    }

    /// The connection ended before everything was written.
    pub(crate) fn fail(self) {
        self.mark(false);
        self.shared.changed.notify_waiters();
    }

    fn mark(&self, delivered: bool) {
        let mut world = self.shared.lock();
        world.journal.delivered(self.seq, delivered);
        if let Some(token) = self
            .minted
            .as_ref()
            .and_then(|id| world.state.ledger.get_mut(id))
        {
            token.delivered = delivered;
        }
    }
}

/// A decision about one request.
struct Answer {
    reply: Reply,
    mode: Mode,
    minted: Option<Arc<str>>,
    seq: u64,
    afterwards: Afterwards,
    after: Duration,
    now: OffsetDateTime,
    elapsed: Duration,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            gauge: Arc::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request, or drops the connection.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request,
        conn: Arc<Conn>,
        inside: Inside,
    ) -> Result<Response<ReplyBody>, Dropped> {
        let (seq, fired, delay) = self.arrive(&request);
        let waits = !delay.is_zero() || !fired.after.is_zero();
        let answer = if waits {
            // A client that gives up does not stop the service: what it asked for still happens.
            let (shared, tls) = (self.clone(), conn.tls);
            let work = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let answer = shared.process(&request, fired, seq, tls);
                tokio::time::sleep(answer.after).await;
                answer
            });
            work.await.map_err(|_| Dropped)?
        } else {
            self.process(&request, fired, seq, conn.tls)
        };
        self.changed.notify_waiters();
        match answer.mode {
            Mode::Reset => {
                conn.reset();
                return Err(Dropped);
            }
            Mode::Silence => {
                // Until the client closes the connection, which drops this future.
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        Ok(self.respond(answer, conn, inside))
    }

    fn arrive(&self, request: &Request) -> (u64, Fired, Duration) {
        let world = &mut *self.lock();
        let seq = world.journal.next();
        let fired = world.faults.fire(
            &mut world.chance,
            request.method.as_str(),
            &request.path,
            request.presented_client_id(),
        );
        let delay = fired
            .before
            .saturating_add(Duration::from_millis(world.knobs.latency_ms));
        (seq, fired, delay)
    }

    fn process(&self, request: &Request, fired: Fired, seq: u64, tls: bool) -> Answer {
        let started = Instant::now();
        let mut world = self.lock();
        let now = world.now();
        let instead = fired
            .main
            .as_ref()
            .and_then(|fault| mangle::before(fault, request, tls, now));
        let processed = instead.is_none();
        let mut mode = Mode::Whole;
        let mut handled = match instead {
            Some(Instead::Reply(reply)) => reply.into(),
            Some(Instead::Mode(instead)) => {
                mode = instead;
                Reply::empty(500).into()
            }
            None => handle(&mut world, request, &fired, seq, now),
        };
        if let Some(Fault::RootExpired { persist: true }) = fired.main
            && let Some(client_id) = request.presented_client_id()
            && let Some(token) = world.state.ledger.get_mut(client_id)
        {
            token.expiry = Some(now);
        }
        let foreign = world
            .seeds
            .tokens
            .get("portal_1")
            .map(|seed| seed.client_id.clone())
            .unwrap_or_default();
        drop(world);
        // A long list is written without the lock.
        if let Some(build) = handled.deferred.take() {
            handled.reply.body = build();
        }
        if let Some(fault) = &fired.main
            && processed
        {
            mode = mangle::after(fault, &mut handled, &foreign, now);
        }
        let elapsed = started.elapsed();
        self.record(request, &fired, seq, now, &handled, mode, elapsed);
        let success = (200..300).contains(&handled.reply.status);
        Answer {
            minted: handled.subject.filter(|_| handled.minted && success),
            reply: handled.reply,
            mode,
            seq,
            afterwards: match fired.close_idle {
                None => Afterwards::Keep,
                Some(false) => Afterwards::Close,
                Some(true) => Afterwards::ResetOnNext,
            },
            after: fired.after,
            now,
            elapsed,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one entry has that many sources")]
    fn record(
        &self,
        request: &Request,
        fired: &Fired,
        seq: u64,
        now: OffsetDateTime,
        handled: &Handled,
        mode: Mode,
        elapsed: Duration,
    ) {
        if !self.lock().journal.on() {
            return;
        }
        let silent = matches!(mode, Mode::Reset | Mode::Silence);
        let entry = JournalEntry {
            seq,
            t: clock::rfc3339(now),
            method: request.method.to_string(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.journal_headers(),
            body: request.journal_body(),
            status: (!silent).then_some(handled.reply.status),
            client_id_of_caller: request.presented_client_id().map(str::to_owned),
            client_id_of_subject: handled.subject.as_ref().map(ToString::to_string),
            fault_applied: fired.kinds.clone(),
            committed: handled.committed,
            delivered: false,
            concurrency: self.gauge.now(),
            duration_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        };
        self.lock().journal.push(entry);
    }

    fn respond(
        self: &Arc<Self>,
        answer: Answer,
        conn: Arc<Conn>,
        inside: Inside,
    ) -> Response<ReplyBody> {
        let reply = answer.reply;
        let whole = matches!(answer.mode, Mode::Whole | Mode::Slow { .. });
        let end = End {
            delivery: whole.then(|| Delivery {
                shared: self.clone(),
                seq: answer.seq,
                minted: answer.minted,
            }),
            afterwards: answer.afterwards,
            begun: false,
        };
        let bare = matches!(reply.status, 100..200 | 204 | 304);
        let announced = match answer.mode {
            Mode::Cut { chunked: true, .. } => None,
            _ => (!bare).then_some(reply.body.len()),
        };
        let body = ReplyBody::new(steps(reply.body, answer.mode), conn, end, Some(inside));
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(content_type) = reply.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Ok(date) = HeaderValue::from_str(&clock::http_date(answer.now)) {
            headers.insert(header::DATE, date);
        }
        headers.insert(header::SERVER, HeaderValue::from_static("istio-envoy"));
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000; include-subdomains"),
        );
        let millis = u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
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
}

fn handle(
    world: &mut World,
    request: &Request,
    fired: &Fired,
    seq: u64,
    now: OffsetDateTime,
) -> Handled {
    if let Some(rate) = world.knobs.rate_limit_per_s
        && let Err(seconds) = world.limiter.take(rate)
    {
        return Reply::string(429, "rate limit exceeded")
            .with(header::RETRY_AFTER, seconds.to_string())
            .into();
    }
    let drop_role = matches!(fired.main, Some(Fault::RolesMismatch {}));
    Call {
        world,
        request,
        seq,
        now,
        drop_role,
    }
    .handle()
}

/// Time for written bytes to leave before a connection is broken.
const SETTLE: Duration = Duration::from_millis(20);

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
            steps.push_back(Step::Wait(SETTLE));
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
