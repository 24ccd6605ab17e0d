//! The host's part: leases that are renewed, expire and are revoked, ticks, and requests that are
//! interrupted or repeated.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::chance;
use super::operation::CONFIGS;
use super::operation::config;
use super::process::MAX_LEASE;
use super::world::World;
use crate::engine::clock::now_utc;
use crate::engine::testing;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;

/// How often the host calls the tick.
pub const TICK: Duration = Duration::from_secs(60);
/// How often the host tries to revoke, and the wait after the first try, which doubles.
const REVOCATIONS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The host gives a request up after this time.
const GIVES_UP: Duration = Duration::from_secs(90);

/// A lease.
#[derive(Clone)]
pub struct Lease {
    /// Its number.
    pub id: usize,
    /// Whose token it is.
    pub org: usize,
    /// The role.
    pub role: String,
    /// The token.
    pub client_id: String,
    /// When the host made it, by the node's clock.
    pub issued_utc: time::OffsetDateTime,
    /// When it ends unless it is renewed.
    pub end: Instant,
    /// What became of it.
    pub state: LeaseState,
    /// Whether its token may be gone although it lives: storage was restored since.
    pub may_be_dead: bool,
    issued: Instant,
    internal_data: Map<String, Value>,
    ttl: Duration,
    max_ttl: Duration,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeaseState {
    /// Somebody may use its token.
    Active,
    /// It has ended, or somebody ends it; its token may live.
    Ending,
    /// The host has given up: an operator has to act.
    Irrevocable,
    /// The engine has said that its token is deleted.
    Revoked,
}

/// What came of a request.
pub enum Answered {
    /// The engine's answer.
    Done(HandlerResult),
    /// There is none: a process died.
    Died,
    /// The caller did not wait for it.
    GaveUp,
}

impl Lease {
    /// The lease on what `response` delivers.
    ///
    /// Its role was once under the config `org`; the lease tells under which it is.
    pub fn of(id: usize, org: usize, role: &str, response: &Response) -> Option<Self> {
        let lease = response.lease()?;
        let own = lease.internal_data.get("config")?.as_str()?;
        let org = (0..CONFIGS).find(|org| config(*org) == own).unwrap_or(org);
        let now = Instant::now();
        Some(Self {
            id,
            org,
            role: role.to_owned(),
            client_id: response.data().get("client_id")?.as_str()?.to_owned(),
            issued_utc: now_utc(),
            end: now + lease.ttl.min(MAX_LEASE),
            state: LeaseState::Active,
            may_be_dead: false,
            issued: now,
            internal_data: lease.internal_data.clone(),
            ttl: lease.ttl,
            max_ttl: lease.max_ttl,
        })
    }

    /// How long it lasts unless it is renewed.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long it may last in all.
    pub fn max_ttl(&self) -> Duration {
        self.max_ttl
    }

    /// The node's time when its token was minted, as the lease says.
    pub fn minted_at(&self) -> Option<&str> {
        self.internal_data.get("minted_at")?.as_str()
    }

    fn request(&self, operation: Operation, increment: u64) -> Request {
        Request {
            lease: Some(LeaseInfo {
                internal_data: self.internal_data.clone(),
                ttl: self.ttl,
                max_ttl: self.max_ttl,
                increment: Duration::from_secs(increment),
                issue_time: Some(self.issued_utc),
                lease_id: String::new(),
            }),
            ..request(String::new(), operation, "creds/role", json!({}))
        }
    }
}

/// A request of the host.
pub fn request(id: String, operation: Operation, path: &str, data: Value) -> Request {
    Request {
        id,
        ..testing::request(operation, path, data)
    }
}

impl World {
    /// Sends a request to the active node and waits for what comes of it.
    pub async fn call(
        self: &Rc<Self>,
        org: Option<usize>,
        request: Request,
        gives_up: Option<Duration>,
    ) -> Answered {
        let what = format!("{:?} {} {}", request.operation, request.path, request.id);
        self.trace.note(format_args!("> {what}"));
        let calm = self.is_calm(org);
        let (answered, began) = self.send(&request, gives_up).await;
        let took = began.elapsed();
        match &answered {
            Answered::Done(Ok(_)) => self.trace.note(format_args!("< {what}: done")),
            Answered::Done(Err(error)) => self.trace.note(format_args!("< {what}: {error}")),
            Answered::Died => self.trace.note(format_args!("< {what}: died")),
            Answered::GaveUp => self.trace.note(format_args!("< {what}: gave up")),
        }
        if let Answered::Done(outcome) = &answered {
            self.check_answer(org, calm, &what, outcome, took);
        }
        answered
    }

    async fn send(
        self: &Rc<Self>,
        request: &Request,
        gives_up: Option<Duration>,
    ) -> (Answered, Instant) {
        let mut interruptions = self.interruptions.subscribe();
        let marks = !request.id.is_empty();
        let mut repeated = false;
        loop {
            let began = Instant::now();
            let process = self.active();
            let seed = chance::draw(|rng| rng.u64(..));
            let answer = process.send(request.clone(), seed);
            let limit = tokio::time::sleep(gives_up.unwrap_or(GIVES_UP));
            let ended = tokio::select! {
                biased;
                answer = answer => answer.map_or(Answered::Died, Answered::Done),
                _ = interruptions.recv() => Answered::Died,
                () = limit => Answered::GaveUp,
            };
            let may_wait = matches!(request.operation, Operation::Update | Operation::Delete);
            if matches!(ended, Answered::GaveUp) && gives_up.is_none() && !may_wait {
                self.violation(format!(
                    "{:?} {} did not end within 90 s",
                    request.operation, request.path
                ));
            }
            match ended {
                Answered::Done(outcome) => {
                    if repeated && outcome.is_ok() {
                        self.interrupted.borrow_mut().remove(&request.id);
                    }
                    return (Answered::Done(outcome), began);
                }
                Answered::Died
                    if marks && self.repeats.get() && interruptions.is_empty() && !repeated =>
                {
                    self.interrupted.borrow_mut().insert(request.id.clone());
                    self.trace.note(format_args!("  repeating {}", request.id));
                    repeated = true;
                }
                other => {
                    if marks {
                        self.interrupted.borrow_mut().insert(request.id.clone());
                    }
                    return (other, began);
                }
            }
        }
    }

    /// Takes a lease on what was delivered.
    pub fn lease(
        self: &Rc<Self>,
        org: usize,
        role: &str,
        response: &Response,
        asked_of: Vec<Option<String>>,
    ) {
        let id = self.leases.borrow().len();
        let Some(lease) = Lease::of(id, org, role, response) else {
            return self.violation("a credential without a lease".to_owned());
        };
        self.check_delivered(&lease, asked_of);
        self.check_limits(&lease);
        self.leases.borrow_mut().push(lease);
        self.check_max_active(id);
        self.arm(id);
    }

    /// Ends the lease when its time is over.
    pub fn arm(self: &Rc<Self>, id: usize) {
        let world = Rc::clone(self);
        let era = self.era.get();
        let seed = chance::mix(self.seed, 1_000_000 + id as u64);
        let ends = async move {
            loop {
                let Some((end, state)) = world.lease_state(id) else {
                    return;
                };
                match state {
                    LeaseState::Active if end > Instant::now() => {
                        tokio::time::sleep_until(end).await
                    }
                    LeaseState::Active | LeaseState::Ending => break,
                    LeaseState::Irrevocable | LeaseState::Revoked => return,
                }
                if world.era.get() != era {
                    return;
                }
            }
            world.set_state(id, LeaseState::Ending);
            for attempt in 0..REVOCATIONS {
                if world.era.get() != era || world.revoke(id).await {
                    return;
                }
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
            }
            if world.era.get() == era {
                world.trace.note(format_args!("lease {id} is irrevocable"));
                world.set_state(id, LeaseState::Irrevocable);
            }
        };
        tokio::task::spawn_local(chance::scoped(seed, ends));
    }

    /// Asks the engine to delete the lease's token; whether it says that it has.
    pub async fn revoke(self: &Rc<Self>, id: usize) -> bool {
        let Some(lease) = self.leases.borrow().get(id).cloned() else {
            return false;
        };
        let era = self.era.get();
        let request = lease.request(Operation::Revoke, 0);
        let token = self.astra.token(&lease.client_id);
        let deletes = token.and_then(|token| self.config_that_deletes(lease.org, &token));
        let answered = self.call(deletes, request, None).await;
        let is_done = matches!(answered, Answered::Done(Ok(_)));
        if is_done {
            self.check_revoked(&lease);
            if self.era.get() == era {
                self.set_state(id, LeaseState::Revoked);
            }
        }
        is_done
    }

    /// Somebody asks for the end of a lease, once.
    pub async fn revoke_at_request(self: &Rc<Self>, id: usize) {
        self.set_state(id, LeaseState::Ending);
        let era = self.era.get();
        if !self.revoke(id).await && self.era.get() == era {
            // The lease goes on until its end; its holder cannot count on the token.
            self.arm(id);
        }
    }

    /// Somebody asks for more time.
    pub async fn renew(self: &Rc<Self>, id: usize, increment: u64) {
        let Some(lease) = self.leases.borrow().get(id).cloned() else {
            return;
        };
        let era = self.era.get();
        let request = lease.request(Operation::Renew, increment);
        let Answered::Done(Ok(Some(response))) = self.call(Some(lease.org), request, None).await
        else {
            return;
        };
        let Some(answered) = response.lease() else {
            return self.violation("a renewal without a lease".to_owned());
        };
        if answered.ttl.is_zero() {
            self.violation(format!("a renewal of lease {id} without a TTL"));
        }
        if self.era.get() != era {
            return;
        }
        let mut leases = self.leases.borrow_mut();
        if let Some(lease) = leases
            .get_mut(id)
            .filter(|lease| lease.state == LeaseState::Active)
        {
            let longest = lease.issued + lease.max_ttl.min(MAX_LEASE);
            lease.end = (Instant::now() + answered.ttl).min(longest);
        }
    }

    /// The host's tick, unless one is in flight.
    pub async fn tick(self: &Rc<Self>) {
        if self.ticking.replace(true) {
            return;
        }
        let tick = request(String::new(), Operation::Rollback, "", json!({}));
        let (began, could) = (self.astra.now(), self.can_rotate());
        if let Answered::Done(_) = self.call(None, tick, None).await {
            self.note_tick(began, &could);
        }
        self.ticking.set(false);
    }

    /// Calls the tick again and again.
    pub async fn tick_for_ever(self: Rc<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            self.tick().await;
        }
    }

    /// The numbers of the leases that are in use.
    pub fn in_use(&self) -> Vec<usize> {
        let leases = self.leases.borrow();
        let active = leases
            .iter()
            .filter(|lease| lease.state == LeaseState::Active);
        active.map(|lease| lease.id).collect()
    }

    fn lease_state(&self, id: usize) -> Option<(Instant, LeaseState)> {
        let leases = self.leases.borrow();
        leases.get(id).map(|lease| (lease.end, lease.state))
    }

    fn set_state(&self, id: usize, state: LeaseState) {
        if let Some(lease) = self.leases.borrow_mut().get_mut(id) {
            lease.state = state;
        }
    }
}

/// Whether the outcome says that something other than the request is wrong.
pub fn is_failure(outcome: &HandlerResult) -> bool {
    let failed = match outcome {
        Ok(_) | Err(Error::BadRequest(_)) => false,
        Err(Error::Status { status, .. }) => status.code() >= 500,
        Err(_) => true,
    };
    // Renewals have no status of their own, and a config that is being deleted mints no more.
    let is_answer = |error: &Error| {
        let text = error.to_string();
        text.contains("not extended") || text.contains("is being deleted")
    };
    failed && !outcome.as_ref().is_err_and(is_answer)
}
