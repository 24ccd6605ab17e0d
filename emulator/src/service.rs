//! The emulated service: its state behind one lock, and the path of one request.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::connection::AfterResponse;
use crate::connection::ConnectionState;
use crate::connection::Delivery;
use crate::connection::End;
use crate::endpoints;
use crate::endpoints::Call;
use crate::endpoints::RefusalShape;
use crate::fault::Fault;
use crate::fault::FiredFaults;
use crate::fault::Matchable;
use crate::fault::apply;
use crate::fault::apply::Answering;
use crate::fault::apply::Mode;
use crate::fault::apply::Replacement;
use crate::in_flight::InFlight;
use crate::in_flight::InFlightGuard;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::reply_body::ReplyBody;
use crate::request::Request;
use crate::response;
use crate::state::journal::JournalEntry;
use crate::state::service_state::ServiceState;

/// One emulator.
pub(crate) struct Service {
    state: Mutex<ServiceState>,
    pub(crate) in_flight: Arc<InFlight>,
    /// Told after every request and every change from outside.
    pub(crate) changed: Notify,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault rule drops the connection")]
pub(crate) struct Dropped;

/// Marks what an answer delivers, once it is written.
struct TokenDelivery {
    service: Arc<Service>,
    seq: u64,
    minted: Option<Arc<str>>,
}

impl TokenDelivery {
    fn mark(&self, delivered: bool) {
        let mut state = self.service.lock();
        state.journal.delivered(self.seq, delivered);
        if let Some(token) = self
            .minted
            .as_ref()
            .and_then(|id| state.records.ledger.get_mut(id))
        {
            token.delivered = delivered;
        }
    }
}

impl Delivery for TokenDelivery {
    /// Marked before the write, because a client that has read the last bytes may ask for the count
    /// of orphans at once.
    fn begin(&self) {
        self.mark(true);
    }

    fn complete(self: Box<Self>) {
        self.service.changed.notify_waiters();
    }

    fn fail(self: Box<Self>) {
        self.mark(false);
        self.service.changed.notify_waiters();
    }
}

/// A decision about one request.
struct Answer {
    reply: Reply,
    mode: Mode,
    minted: Option<Arc<str>>,
    seq: u64,
    after_response: AfterResponse,
    after: Duration,
    now: OffsetDateTime,
    elapsed: Duration,
}

impl Service {
    pub(crate) fn new(state: ServiceState) -> Self {
        Self {
            state: Mutex::new(state),
            in_flight: Arc::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ServiceState> {
        self.state.lock()
    }

    /// Answers a request, or drops the connection.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request,
        connection: Arc<ConnectionState>,
        guard: InFlightGuard,
    ) -> Result<Response<ReplyBody>, Dropped> {
        let (seq, fired, delay) = self.arrive(&request);
        let waits = !delay.is_zero() || !fired.after.is_zero();
        let answer = if waits {
            // A client that gives up does not stop the service: what it asked for still happens.
            let (service, tls) = (self.clone(), connection.tls);
            let work = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let answer = service.process(&request, fired, seq, tls);
                tokio::time::sleep(answer.after).await;
                answer
            });
            work.await.map_err(|_| Dropped)?
        } else {
            self.process(&request, fired, seq, connection.tls)
        };
        match answer.mode {
            Mode::Reset => {
                connection.reset();
                return Err(Dropped);
            }
            Mode::Silence => {
                // Until the client closes the connection, which drops this future.
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        Ok(self.respond(answer, connection, guard))
    }

    /// Runs `decide` on a request that is not one of HTTP/1.1; faults do not touch it.
    pub(crate) fn decide<T>(
        &self,
        request: &Request,
        decide: impl FnOnce(&mut Call<'_>) -> T,
    ) -> T {
        let state = &mut *self.lock();
        let (seq, now, org) = (
            state.journal.next(),
            state.now(),
            state.presented_org(request),
        );
        let decided = decide(&mut Call {
            state,
            request,
            org,
            refusals: RefusalShape::Errors,
            seq,
            now,
            drop_role: false,
        });
        self.changed.notify_waiters();
        decided
    }

    fn arrive(&self, request: &Request) -> (u64, FiredFaults, Duration) {
        let state = &mut *self.lock();
        let seq = state.journal.next();
        let org = state.presented_org(request);
        let matchable = Matchable {
            method: request.method.as_str(),
            path: &request.path,
            client_id: request.presented_client_id(),
            org_id: org.as_deref(),
        };
        let fired = state.faults.fire(&mut state.chance, &matchable);
        let latency = state.knobs.of(org.as_deref()).latency_ms;
        let delay = fired.before.saturating_add(Duration::from_millis(latency));
        (seq, fired, delay)
    }

    fn process(&self, request: &Request, fired: FiredFaults, seq: u64, tls: bool) -> Answer {
        let started = Instant::now();
        let mut state = self.lock();
        let now = state.now();
        let (foreign_client, foreign_org) = foreign_ids(&state, request);
        let org = state.presented_org(request);
        let names_foreign_org = state.knobs.of(org.as_deref()).foreign_org;
        let answering = Answering {
            request,
            tls,
            now,
            foreign_client: &foreign_client,
        };
        let replacement = fired
            .main
            .as_ref()
            .and_then(|fault| apply::before(fault, &answering));
        let processed = replacement.is_none();
        let (mut handled, mut mode) = match replacement {
            Some(Replacement { reply, mode }) => (Handled::from(reply), mode),
            None => (handle(&mut state, request, &fired, seq, now), Mode::Whole),
        };
        if names_foreign_org {
            apply::name_foreign_org(&mut handled, &foreign_org);
        }
        if let Some(Fault::RootExpired { persist: true }) = fired.main
            && let Some(client_id) = request.presented_client_id()
            && let Some(token) = state.records.ledger.get_mut(client_id)
        {
            token.expiry = Some(now);
        }
        drop(state);
        // A long list is written without the lock.
        if let Some(build) = handled.deferred.take() {
            handled.reply.body = build();
        }
        if let Some(fault) = &fired.main
            && processed
        {
            mode = apply::after(fault, &mut handled, &answering);
        }
        let elapsed = started.elapsed();
        self.record(request, &fired, seq, now, &handled, mode, elapsed);
        // Now, not with the answer, which may come much later.
        self.changed.notify_waiters();
        let success = (200..300).contains(&handled.reply.status);
        Answer {
            minted: handled.subject.filter(|_| handled.minted && success),
            reply: handled.reply,
            mode,
            seq,
            after_response: match fired.close_idle {
                None => AfterResponse::Keep,
                Some(false) => AfterResponse::Close,
                Some(true) => AfterResponse::ResetOnNext,
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
        fired: &FiredFaults,
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
            concurrency: self.in_flight.now(),
            duration_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        };
        self.lock().journal.push(entry);
    }

    fn respond(
        self: &Arc<Self>,
        answer: Answer,
        connection: Arc<ConnectionState>,
        guard: InFlightGuard,
    ) -> Response<ReplyBody> {
        let whole = matches!(answer.mode, Mode::Whole | Mode::Slow { .. });
        let end = End {
            delivery: whole.then(|| -> Box<dyn Delivery> {
                Box::new(TokenDelivery {
                    service: self.clone(),
                    seq: answer.seq,
                    minted: answer.minted,
                })
            }),
            after_response: answer.after_response,
            begun: false,
        };
        response::build(
            answer.reply,
            answer.mode,
            answer.now,
            answer.elapsed,
            |steps| ReplyBody::new(steps, connection, end, Some(guard)),
        )
    }
}

/// The client id of a token, and the id of an organization, that the caller did not mean.
fn foreign_ids(state: &ServiceState, request: &Request) -> (String, String) {
    let client_id = state
        .seeds
        .tokens
        .get("portal_1")
        .map(|seed| seed.client_id.clone());
    let own = state.presented_org(request);
    let org = state
        .records
        .orgs
        .iter()
        .find(|org| Some(org.id.as_str()) != own.as_deref())
        .map(|org| org.id.clone());
    (client_id.unwrap_or_default(), org.unwrap_or_default())
}

/// Takes one request from the rate limit that applies to `org`.
fn take_rate(state: &mut ServiceState, org: Option<&str>) -> Result<(), u64> {
    let Some(rate) = state.knobs.of(org).rate_limit_per_s else {
        return Ok(());
    };
    match org.filter(|org| state.knobs.has_own(org, "rate_limit_per_s")) {
        Some(org) => {
            let limits = &mut state.org_rate_limits;
            limits.entry(org.to_owned()).or_default().take(rate)
        }
        None => state.rate_limit.take(rate),
    }
}

fn handle(
    state: &mut ServiceState,
    request: &Request,
    fired: &FiredFaults,
    seq: u64,
    now: OffsetDateTime,
) -> Handled {
    let org = state.presented_org(request);
    if let Err(seconds) = take_rate(state, org.as_deref()) {
        return Reply::string(429, "rate limit exceeded")
            .with(header::RETRY_AFTER, seconds.to_string())
            .into();
    }
    let mut call = Call {
        state,
        request,
        org,
        refusals: RefusalShape::Errors,
        seq,
        now,
        drop_role: matches!(fired.main, Some(Fault::RolesMismatch {})),
    };
    endpoints::handle(&mut call)
}
