//! The handle of a running emulator: the library API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::clock;
use crate::control;
use crate::error::Error;
use crate::fault::ActiveRule;
use crate::fault::Fault;
use crate::fault::FaultRule;
use crate::ids;
use crate::invariants;
use crate::invariants::Invariants;
use crate::knobs::Knobs;
use crate::options::Options;
use crate::options::Profile;
use crate::seed;
use crate::seed::OrgSeed;
use crate::seed::Seeds;
use crate::seed::TokenSeed;
use crate::server;
use crate::server::Door;
use crate::shared::Shared;
use crate::state::NewToken;
use crate::state::State;
use crate::state::World;
use crate::state::database::Database;
use crate::state::journal::JournalEntry;
use crate::state::org;
use crate::state::role::Policy;
use crate::state::role::Role;
use crate::state::token::Origin;
use crate::state::token::TokenView;
use crate::tls::Certificate;
use crate::tls::Kit;
use crate::violations::Violation;

/// A running emulator. Clones are handles of the same one; it ends with [`Emulator::shutdown`] or
/// when the last handle is dropped.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    shared: Arc<Shared>,
    api: Arc<Door>,
    control: Arc<Door>,
    stop: watch::Sender<bool>,
    kit: OnceLock<Arc<Kit>>,
    /// The certificate of the main listener.
    certificate: Arc<AtomicU8>,
    /// Alternative TLS listeners.
    others: Mutex<Vec<(Certificate, SocketAddr)>>,
    runtime: tokio::runtime::Handle,
}

/// A token to be made by hand, as in Astra's portal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortalToken {
    /// Its organization; the first one if `None`.
    pub org_id: Option<String>,
    /// Role ids or names; anything else is kept as it is.
    pub roles: Vec<String>,
    /// Free text.
    pub description: String,
    /// Seconds from now.
    pub expires_in_s: Option<u64>,
    /// Valid for the whole enterprise.
    pub enterprise: bool,
}

/// A condition to wait for; all given members must hold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitFor {
    /// So many live tokens were minted through the API.
    pub token_count: Option<usize>,
    /// At least so many requests arrived since the start.
    pub journal_len: Option<u64>,
    /// At most so many orphans.
    pub orphans: Option<usize>,
}

/// Numbers of a running emulator.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests so far.
    pub requests: u64,
    /// Requests under way now.
    pub concurrency: usize,
    /// Most requests ever under way at once, since the last [`Emulator::reset_concurrency`].
    pub max_concurrency_seen: usize,
}

impl Emulator {
    /// Starts an emulator on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// An address is not loopback or is taken, or a certificate cannot be made.
    #[allow(
        clippy::unused_async,
        reason = "listening needs a runtime, which async promises"
    )]
    pub async fn start(options: Options) -> Result<Self, Error> {
        let api = Arc::new(Door::open(options.api)?);
        let control = Arc::new(Door::open(options.control)?);
        let scheme = if options.tls { "https" } else { "http" };
        let world = World::new(&options, format!("{scheme}://{}", api.address));
        let tls = options.tls;
        let emulator = Self {
            inner: Arc::new(Inner {
                options,
                shared: Arc::new(Shared::new(world)),
                api,
                control,
                stop: watch::Sender::new(false),
                kit: OnceLock::new(),
                certificate: Arc::new(AtomicU8::new(Certificate::Good as u8)),
                others: Mutex::new(Vec::new()),
                runtime: tokio::runtime::Handle::current(),
            }),
        };
        let inner = &emulator.inner;
        let config = match tls {
            true => Some(inner.kit()?.config(inner.certificate.clone())?),
            false => None,
        };
        let stopped = inner.stop.subscribe();
        tokio::spawn(server::run(
            inner.api.clone(),
            inner.shared.clone(),
            config,
            stopped,
        ));
        // The control API must not keep the emulator alive.
        let weak = Arc::downgrade(inner);
        tokio::spawn(server::run_control(
            inner.control.clone(),
            inner.stop.subscribe(),
            move |request| {
                let emulator = weak.upgrade().map(|inner| Self { inner });
                control::answer(emulator, request)
            },
        ));
        Ok(emulator)
    }

    /// Scheme, host and port of the API, without `/v2`.
    pub fn url(&self) -> String {
        self.inner.shared.lock().base_url.clone()
    }

    /// Scheme, host and port of the control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.inner.control.address)
    }

    /// Base URL of a database's data-plane stub.
    pub fn data_url(&self, database_id: &str, region: &str) -> String {
        format!("{}/_data/{database_id}-{region}", self.url())
    }

    /// The generated CA, if the API is served by TLS or [`Emulator::tls_url`] was called.
    pub fn ca_pem(&self) -> Option<String> {
        self.inner.kit.get().map(|kit| kit.ca_pem.clone())
    }

    /// Base URL of a listener with the given certificate, started on first use.
    ///
    /// # Errors
    ///
    /// No port, or no certificate could be made.
    pub fn tls_url(&self, certificate: Certificate) -> Result<String, Error> {
        let inner = &self.inner;
        let mut others = inner.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others
            .iter()
            .find(|(own, _)| *own == certificate)
            .map(|(_, address)| *address);
        let address = match known {
            Some(address) => address,
            None => {
                let choice = Arc::new(AtomicU8::new(certificate as u8));
                let config = inner.kit()?.config(choice)?;
                let _context = inner.runtime.enter();
                let door = Arc::new(Door::open(SocketAddr::new(inner.api.address.ip(), 0))?);
                others.push((certificate, door.address));
                let address = door.address;
                let stopped = inner.stop.subscribe();
                inner.runtime.spawn(server::run(
                    door,
                    inner.shared.clone(),
                    Some(config),
                    stopped,
                ));
                address
            }
        };
        Ok(format!("https://{address}"))
    }

    /// The token of the first organization's administrator.
    pub fn root_token(&self) -> String {
        let world = self.inner.shared.lock();
        world
            .seeds
            .organizations
            .first()
            .map(|org| org.root_token.clone())
            .unwrap_or_default()
    }

    /// What was there from the start, with secrets.
    pub fn seeds(&self) -> Seeds {
        self.inner.shared.lock().seeds.clone()
    }

    /// The knobs as they are.
    pub fn knobs(&self) -> Knobs {
        self.inner.shared.lock().knobs.clone()
    }

    /// Changes the knobs named in a JSON object and returns all of them.
    ///
    /// # Errors
    ///
    /// A knob is unknown or its value has the wrong type; nothing is changed then.
    pub fn set_knobs(&self, changes: serde_json::Value) -> Result<Knobs, Error> {
        let mut world = self.inner.shared.lock();
        world.knobs = world.knobs.with(changes)?;
        Ok(world.knobs.clone())
    }

    /// Adds a fault rule and returns its id.
    ///
    /// # Errors
    ///
    /// The rule makes no sense; or it is about TLS and the emulator does not speak it.
    pub fn add_fault(&self, rule: FaultRule) -> Result<u64, Error> {
        let tls = matches!(
            rule.fault,
            Fault::TlsWrongHost {} | Fault::TlsExpired {} | Fault::TlsUnknownCa {}
        );
        if tls && !self.inner.options.tls {
            return Err(Error::Fault(format!(
                "{}: this emulator serves its API without TLS; start it with TLS or ask for a listener",
                rule.fault.kind()
            )));
        }
        let id = self.inner.shared.lock().faults.add(rule)?;
        self.apply_listener_faults()?;
        Ok(id)
    }

    /// Removes one rule; `false` if there is none of that id.
    ///
    /// # Errors
    ///
    /// The API's port cannot be opened again.
    pub fn remove_fault(&self, id: u64) -> Result<bool, Error> {
        let removed = self.inner.shared.lock().faults.remove(id);
        self.apply_listener_faults()?;
        Ok(removed)
    }

    /// Removes all rules. Should the port stay closed because somebody else took it, a warning is logged.
    pub fn clear_faults(&self) {
        self.inner.shared.lock().faults.clear();
        if let Err(error) = self.apply_listener_faults() {
            tracing::warn!(%error, "the API port stays closed");
        }
    }

    /// The rules in force.
    pub fn faults(&self) -> Vec<ActiveRule> {
        self.inner.shared.lock().faults.all()
    }

    fn apply_listener_faults(&self) -> Result<(), Error> {
        let (mut open, mut certificate) = (true, Certificate::Good);
        for fault in self.inner.shared.lock().faults.listener() {
            match fault {
                Fault::NoListen {} => open = false,
                Fault::TlsWrongHost {} => certificate = Certificate::WrongHost,
                Fault::TlsExpired {} => certificate = Certificate::Expired,
                Fault::TlsUnknownCa {} => certificate = Certificate::UnknownCa,
                _ => {}
            }
        }
        let changed = self
            .inner
            .certificate
            .swap(certificate as u8, Ordering::SeqCst);
        if changed != certificate as u8 {
            // Connections made under the other certificate would go on.
            self.inner
                .api
                .cut
                .send_modify(|generation| *generation += 1);
        }
        let _context = self.inner.runtime.enter();
        self.inner.api.set_open(open)
    }

    /// Tokens minted through the API that are neither deleted nor expired, oldest first.
    pub fn live_tokens(&self) -> Vec<TokenView> {
        let world = self.inner.shared.lock();
        let now = world.now();
        world
            .state
            .ledger
            .iter()
            .filter(|token| token.facts.origin == Origin::Api && token.live(now))
            .map(|token| token.view(now, false))
            .collect()
    }

    /// All tokens, seeds and deleted ones (the last 100,000) included; with their secrets if asked for.
    pub fn tokens(&self, secrets: bool) -> Vec<TokenView> {
        let world = self.inner.shared.lock();
        let now = world.now();
        let ledger = &world.state.ledger;
        ledger
            .iter()
            .chain(ledger.deleted())
            .map(|token| token.view(now, secrets))
            .collect()
    }

    /// One token, live or not, without its secret.
    pub fn token(&self, client_id: &str) -> Option<TokenView> {
        let world = self.inner.shared.lock();
        let now = world.now();
        world
            .state
            .ledger
            .find(client_id)
            .map(|token| token.view(now, false))
    }

    /// The journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.journal_since(0)
    }

    /// The journal after sequence number `seq`.
    pub fn journal_since(&self, seq: u64) -> Vec<JournalEntry> {
        self.inner.shared.lock().journal.since(seq)
    }

    /// Empties the journal; sequence numbers go on.
    pub fn clear_journal(&self) {
        self.inner.shared.lock().journal.clear();
    }

    /// Deviations from the API so far (the last 10,000).
    pub fn violations(&self) -> Vec<Violation> {
        self.inner
            .shared
            .lock()
            .violations
            .iter()
            .cloned()
            .collect()
    }

    /// Forgets the deviations.
    pub fn clear_violations(&self) {
        self.inner.shared.lock().violations.clear();
    }

    /// Counts what must be zero in the end.
    pub fn invariants(&self) -> Invariants {
        let world = self.inner.shared.lock();
        invariants::count(&world, world.now())
    }

    /// Requests and concurrency.
    pub fn stats(&self) -> Stats {
        Stats {
            requests: self.inner.shared.lock().journal.len(),
            concurrency: self.inner.shared.gauge.now(),
            max_concurrency_seen: self.inner.shared.gauge.max(),
        }
    }

    /// Starts `max_concurrency_seen` over.
    pub fn reset_concurrency(&self) {
        self.inner.shared.gauge.reset();
    }

    /// The virtual time.
    pub fn now(&self) -> OffsetDateTime {
        self.inner.shared.lock().now()
    }

    /// Leaps forward.
    pub fn advance_clock(&self, by: Duration) {
        self.inner.shared.lock().clock.advance(by);
        self.inner.shared.changed.notify_waiters();
    }

    /// Sets the virtual time.
    pub fn set_clock(&self, at: OffsetDateTime) {
        self.inner.shared.lock().clock.set(at);
        self.inner.shared.changed.notify_waiters();
    }

    /// Makes a token by hand.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn create_token(&self, wanted: PortalToken) -> Result<TokenSeed, Error> {
        let mut world = self.inner.shared.lock();
        let org = organization_id(&world, wanted.org_id.as_deref())?;
        let now = world.now();
        let roles = wanted
            .roles
            .into_iter()
            .map(|role| {
                let named = world.state.roles.of(&org).find(|own| own.name == role);
                named.map(|own| own.id.clone()).unwrap_or(role)
            })
            .collect();
        let new = NewToken {
            org_id: org.into(),
            roles,
            description: wanted.description,
            expiry: wanted
                .expires_in_s
                .map(|s| clock::later(now, Duration::from_secs(s))),
            minted_by: None,
            origin: Origin::Portal,
            enterprise: wanted.enterprise,
        };
        let facts = world.mint(new, now);
        drop(world);
        self.inner.shared.changed.notify_waiters();
        Ok(TokenSeed::from(&*facts))
    }

    /// Deletes a token by hand, at once.
    ///
    /// # Errors
    ///
    /// There is no such token, or it was deleted before.
    pub fn revoke_token(&self, client_id: &str) -> Result<(), Error> {
        let mut world = self.inner.shared.lock();
        let now = world.now();
        let deleted = world.state.ledger.delete(client_id, now, now, now);
        drop(world);
        self.inner.shared.changed.notify_waiters();
        match deleted {
            true => Ok(()),
            false => Err(Error::unknown("token", client_id)),
        }
    }

    /// Lets a token expire now.
    ///
    /// # Errors
    ///
    /// There is no such token.
    pub fn expire_token(&self, client_id: &str) -> Result<(), Error> {
        let mut world = self.inner.shared.lock();
        let now = world.now();
        match world.state.ledger.get_mut(client_id) {
            Some(token) => {
                token.expiry = Some(now);
                Ok(())
            }
            None => Err(Error::unknown("token", client_id)),
        }
    }

    /// Adds a custom role; `org_id` `None` is the first organization.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn create_role(
        &self,
        org_id: Option<&str>,
        name: &str,
        policy: Policy,
    ) -> Result<Role, Error> {
        let mut world = self.inner.shared.lock();
        let org = organization_id(&world, org_id)?;
        let role = Role {
            id: ids::uuid(&mut world.rng),
            org_id: Some(org),
            name: name.to_owned(),
            policy,
            last_update_date_time: clock::rfc3339(world.now()),
            last_update_user_id: String::new(),
        };
        world.state.roles.put(role.clone());
        Ok(role)
    }

    /// Replaces the policy of a role, built-in ones included.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn edit_role(&self, id: &str, policy: Policy) -> Result<Role, Error> {
        let mut world = self.inner.shared.lock();
        let Some(old) = world.state.roles.find(id).cloned() else {
            return Err(Error::unknown("role", id));
        };
        let role = Role {
            policy,
            last_update_date_time: clock::rfc3339(world.now()),
            ..Role::clone(&old)
        };
        world.state.roles.put(role.clone());
        Ok(role)
    }

    /// Deletes a role; tokens keep its id, which grants nothing any more.
    ///
    /// # Errors
    ///
    /// There is no such role.
    pub fn delete_role(&self, id: &str) -> Result<(), Error> {
        let removed = self.inner.shared.lock().state.roles.remove(id);
        removed.map(drop).ok_or_else(|| Error::unknown("role", id))
    }

    /// The roles an organization sees; `None` is the first one.
    ///
    /// # Errors
    ///
    /// There is no such organization.
    pub fn roles(&self, org_id: Option<&str>) -> Result<Vec<Role>, Error> {
        let world = self.inner.shared.lock();
        let org = organization_id(&world, org_id)?;
        Ok(world
            .state
            .roles
            .of(&org)
            .map(|role| Role::clone(role))
            .collect())
    }

    /// Adds an organization with an administrator's token; it also shows in [`Emulator::seeds`].
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn create_org(&self, name: &str, enterprise_id: Option<&str>) -> Result<OrgSeed, Error> {
        let mut world = self.inner.shared.lock();
        seed::organization(&mut world, name, enterprise_id.map(str::to_owned));
        let added = world.seeds.organizations.last().cloned();
        added.ok_or_else(|| Error::unknown("organization", name))
    }

    /// Changes an organization's access list (CIDR, empty admits all) or maximum token life.
    ///
    /// # Errors
    ///
    /// There is no such organization, or an entry of the list is not an address.
    pub fn edit_org(
        &self,
        id: &str,
        devops_acl: Option<Vec<String>>,
        max_token_expiry_s: Option<Option<u64>>,
    ) -> Result<(), Error> {
        if let Some(bad) = devops_acl.iter().flatten().find(|cidr| !org::is_cidr(cidr)) {
            return Err(Error::Invalid(format!("{bad} is not an address or a CIDR")));
        }
        let mut world = self.inner.shared.lock();
        let Some(org) = world.state.org_mut(id) else {
            return Err(Error::unknown("organization", id));
        };
        if let Some(acl) = devops_acl {
            org.devops_acl = acl;
        }
        if let Some(max) = max_token_expiry_s {
            org.max_token_expiry_s = max;
        }
        Ok(())
    }

    /// Changes the status of a database.
    ///
    /// # Errors
    ///
    /// There is no such database.
    pub fn set_database_status(&self, id: &str, status: &str) -> Result<(), Error> {
        let mut world = self.inner.shared.lock();
        let found = world
            .state
            .databases
            .iter_mut()
            .find(|database| database.id == id);
        let Some(database) = found else {
            return Err(Error::unknown("database", id));
        };
        database.status = status.to_owned();
        database.observed_status = status.to_owned();
        Ok(())
    }

    /// All databases.
    pub fn databases(&self) -> Vec<Database> {
        self.inner.shared.lock().state.databases.clone()
    }

    /// Keeps a copy of organizations, roles, tokens and databases, and returns its id.
    pub fn snapshot(&self) -> u64 {
        let world = &mut *self.inner.shared.lock();
        let id = world.snapshots.last_key_value().map_or(1, |(id, _)| id + 1);
        world.snapshots.insert(id, State::clone(&world.state));
        id
    }

    /// Goes back to a copy; clock, knobs, faults and journal stay.
    ///
    /// # Errors
    ///
    /// There is no such copy.
    pub fn restore(&self, id: u64) -> Result<(), Error> {
        let world = &mut *self.inner.shared.lock();
        match world.snapshots.get(&id) {
            Some(state) => {
                world.state = state.clone();
                Ok(())
            }
            None => Err(Error::unknown("snapshot", &id.to_string())),
        }
    }

    /// Starts over: state, knobs, faults, clock, journal, violations and counters.
    ///
    /// # Errors
    ///
    /// The API port was closed by a fault and cannot be opened again.
    pub fn reset(&self, seed: Option<u64>, profile: Option<Profile>) -> Result<(), Error> {
        let mut options = self.inner.options.clone();
        options.seed = seed.unwrap_or(options.seed);
        options.profile = profile.unwrap_or(options.profile);
        let url = self.url();
        *self.inner.shared.lock() = World::new(&options, url);
        self.inner.shared.gauge.reset();
        self.apply_listener_faults()?;
        self.inner.shared.changed.notify_waiters();
        Ok(())
    }

    /// Waits until `wanted` holds; `false` if it did not in time.
    pub async fn wait(&self, wanted: WaitFor, timeout: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let changed = self.inner.shared.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.holds(wanted) {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.holds(wanted);
            }
        }
    }

    fn holds(&self, wanted: WaitFor) -> bool {
        let world = self.inner.shared.lock();
        let requests = world.journal.len();
        if wanted.journal_len.is_some_and(|wanted| requests < wanted) {
            return false;
        }
        if wanted.token_count.is_none() && wanted.orphans.is_none() {
            return true;
        }
        let found = invariants::count(&world, world.now());
        wanted
            .token_count
            .is_none_or(|count| count == found.live_tokens)
            && wanted.orphans.is_none_or(|most| found.orphans <= most)
    }

    /// Whether the control API may show secrets.
    pub(crate) fn show_secrets(&self) -> bool {
        self.inner.options.show_secrets
    }

    pub(crate) fn with_world<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.inner.shared.lock())
    }

    /// Ends the emulator: no new connections, open ones are cut.
    #[allow(
        clippy::unused_async,
        reason = "room for waiting without breaking callers"
    )]
    pub async fn shutdown(self) {
        self.inner.stop();
    }
}

impl Inner {
    fn kit(&self) -> Result<Arc<Kit>, Error> {
        if let Some(kit) = self.kit.get() {
            return Ok(kit.clone());
        }
        let kit = Arc::new(Kit::generate()?);
        Ok(self.kit.get_or_init(|| kit).clone())
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        for door in [&self.api, &self.control] {
            if let Err(error) = door.set_open(false) {
                tracing::warn!(%error, "cannot close a port");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn organization_id(world: &World, id: Option<&str>) -> Result<String, Error> {
    match id {
        Some(id) if world.state.org(id).is_some() => Ok(id.to_owned()),
        Some(id) => Err(Error::unknown("organization", id)),
        None => match world.state.orgs.first() {
            Some(org) => Ok(org.id.clone()),
            None => Err(Error::unknown("organization", "")),
        },
    }
}
