//! A deployment: nodes, storage, leases, organizations, and what is known of them.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Options;
use astra_emulator::TokenState;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::chance;
use super::durable::Access;
use super::durable::Durable;
use super::durable::Entries;
use super::host::Lease;
use super::host::LeaseState;
use super::operation::ORGS;
use super::process::Process;
use super::trace::Trace;
use crate::engine::clock::now_utc;
use crate::engine::intent::BlockEntry;
use crate::engine::intent::LATE_CREATE_WINDOW;
use crate::engine::intent::MountId;
use crate::engine::testing::virtual_time;

/// All there is.
pub struct World {
    /// The history's seed.
    pub seed: u64,
    /// The log.
    pub trace: Arc<Trace>,
    /// Astra.
    pub astra: Emulator,
    /// The mount's storage.
    pub durable: Arc<Durable>,
    /// The organizations.
    pub orgs: Vec<Org>,
    /// All leases that the host knows.
    pub leases: RefCell<Vec<Lease>>,
    /// Grows with each start of the host.
    pub era: Cell<u64>,
    /// Told when the host forgets what it was waiting for.
    pub interruptions: broadcast::Sender<()>,
    /// Whether the host repeats what a death of the plugin has interrupted.
    pub repeats: Cell<bool>,
    /// Whether a tick is in flight.
    pub ticking: Cell<bool>,
    /// The requests whose answer may have been lost on its way.
    pub interrupted: RefCell<BTreeSet<String>>,
    /// What storage held of intents when processes ended.
    pub last_words: RefCell<Vec<Entries>>,
    /// The saved snapshot.
    pub snapshot: RefCell<Option<Snapshot>>,
    /// Times from which tokens and custom roles are in no storage, since it was restored.
    pub forgotten: RefCell<Vec<(OffsetDateTime, OffsetDateTime)>>,
    /// Blocks of intents that a process had when storage was restored.
    pub overtaken: RefCell<BTreeMap<String, Overtaken>>,
    /// Leases that the host forgot when storage was restored, whose tokens somebody may use.
    pub lost_leases: RefCell<Vec<Lease>>,
    /// The `ttl` and `max_ttl` in seconds that operators ever asked for, by role.
    pub role_limits: RefCell<BTreeMap<String, Vec<(u64, u64)>>>,
    /// What was found wrong.
    pub violations: RefCell<Vec<String>>,
    /// How many seconds the node's clock is ahead.
    pub skew: Cell<i64>,
    /// Whether it ever was wrong.
    pub was_skewed: Cell<bool>,
    /// When it was last set.
    pub clock_set: Cell<Instant>,
    /// Every token that was ever written into a config by hand.
    pub given_roots: RefCell<BTreeSet<String>>,
    /// The one that was given to each config last.
    pub last_given: RefCell<BTreeMap<usize, String>>,
    /// The `max_active` of each role.
    pub max_active: Cell<Option<u64>>,
    /// Roles that an operator ever put under another config of their organization.
    pub moved_roles: RefCell<BTreeSet<String>>,
    /// Tokens and ids of custom roles that an operator gave up: what named them could not be read, or its
    /// config was gone.
    pub given_up: RefCell<BTreeSet<String>>,
    /// The tokens of others, which the engine must leave alone.
    pub bystanders: Vec<String>,
    /// The other cluster, where there is one.
    pub neighbour: RefCell<Weak<World>>,
    active: RefCell<Rc<Process>>,
    standby: RefCell<Rc<Process>>,
    shaken_until: Cell<Instant>,
    requests: Cell<u64>,
}

/// An organization, as one config has it.
pub struct Org {
    /// Its number.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// Until when its own trouble may show.
    pub troubled_until: Cell<Instant>,
    /// Until when it is its own trouble, not what is left of it.
    pub faulty_until: Cell<Instant>,
    /// When ticks began, by Astra's clock, that could have rotated its root token.
    pub ticks_without_trouble: RefCell<Vec<OffsetDateTime>>,
    /// Whether its config ever had the root token of another organization.
    pub was_foreign: Cell<bool>,
    /// Whether its config is missing or of no use, as an operator made it.
    pub is_broken: Cell<bool>,
    /// Deletions of its config that are under way.
    pub deletions: Cell<usize>,
}

impl Org {
    /// Whether its config is there, of use and not being deleted.
    pub fn is_usable(&self) -> bool {
        !self.is_broken.get() && self.deletions.get() == 0
    }
}

/// A block of intents that a process had when storage was restored.
pub struct Overtaken {
    /// When that was.
    pub from: OffsetDateTime,
    /// Until when its creates may take effect after that.
    pub until: OffsetDateTime,
    /// What restored storage holds of it.
    pub restored: Option<BlockEntry>,
    /// Whether it was written after the snapshot.
    pub is_newer: bool,
}

/// A copy of storage and leases.
pub struct Snapshot {
    entries: Entries,
    leases: Vec<Lease>,
    at: OffsetDateTime,
    taken: OffsetDateTime,
}

impl World {
    /// A deployment for `orgs` configs, none of which is written.
    pub fn new(seed: u64, orgs: usize, keeps_trace: bool) -> Rc<Self> {
        let options = Options {
            seed,
            journal_size: 0,
            ..Options::default()
        };
        let trace = Arc::new(Trace::new(keeps_trace));
        let astra = virtual_time::astra(options, Arc::clone(&trace));
        Self::over(seed, orgs, astra, trace)
    }

    /// Another cluster, with a mount of its own, that uses the first organization as well.
    pub fn beside(self: &Rc<Self>) -> Rc<Self> {
        let seed = chance::mix(self.seed, u64::MAX - 2);
        let other = Self::over(seed, 1, self.astra.clone(), Arc::clone(&self.trace));
        *self.neighbour.borrow_mut() = Rc::downgrade(&other);
        *other.neighbour.borrow_mut() = Rc::downgrade(self);
        other
    }

    fn over(seed: u64, orgs: usize, astra: Emulator, trace: Arc<Trace>) -> Rc<Self> {
        let now = Instant::now();
        let bystanders = astra.tokens(false).into_iter();
        let bystanders = bystanders.filter(|token| token.state == TokenState::Active);
        let bystanders = bystanders.map(|token| token.client_id).collect();
        let seeds = astra.seeds().organizations;
        let orgs = (0..orgs).map(|number| Org {
            number,
            id: seeds[number % ORGS].id.clone(),
            troubled_until: Cell::new(now),
            faulty_until: Cell::new(now),
            ticks_without_trouble: RefCell::default(),
            was_foreign: Cell::new(false),
            is_broken: Cell::new(true),
            deletions: Cell::new(0),
        });
        let orgs = orgs.collect();
        let durable = Arc::new(Durable::default());
        Rc::new(Self {
            seed,
            trace,
            astra,
            orgs,
            leases: RefCell::default(),
            era: Cell::new(0),
            interruptions: broadcast::Sender::new(16),
            repeats: Cell::new(false),
            ticking: Cell::new(false),
            interrupted: RefCell::default(),
            last_words: RefCell::default(),
            snapshot: RefCell::default(),
            forgotten: RefCell::default(),
            overtaken: RefCell::default(),
            lost_leases: RefCell::default(),
            role_limits: RefCell::default(),
            violations: RefCell::default(),
            skew: Cell::new(0),
            was_skewed: Cell::new(false),
            clock_set: Cell::new(now),
            given_roots: RefCell::default(),
            last_given: RefCell::default(),
            max_active: Cell::new(None),
            moved_roles: RefCell::default(),
            given_up: RefCell::default(),
            bystanders,
            neighbour: RefCell::default(),
            active: RefCell::new(Process::start(&durable, Access::Write)),
            standby: RefCell::new(Process::start(&durable, Access::Read)),
            shaken_until: Cell::new(now),
            requests: Cell::new(0),
            durable,
        })
    }

    /// The process that serves.
    pub fn active(&self) -> Rc<Process> {
        Rc::clone(&self.active.borrow())
    }

    /// The process that may only read.
    pub fn standby(&self) -> Rc<Process> {
        Rc::clone(&self.standby.borrow())
    }

    /// An id for a request.
    pub fn request_id(&self) -> String {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        format!("{:x}-{number}", self.seed)
    }

    /// Notes that a promise is broken.
    pub fn violation(&self, what: String) {
        self.trace.note(format_args!("VIOLATION: {what}"));
        self.violations.borrow_mut().push(what);
    }

    /// Whether nothing is wrong now, nor was a moment ago, that could keep a request of `org` from success.
    pub fn is_calm(&self, org: Option<usize>) -> bool {
        let now = Instant::now();
        let mut peers = org.into_iter().flat_map(|org| self.peers(org));
        let org_is_calm = peers.all(|org| org.troubled_until.get() < now && org.is_usable());
        let clocks_agree = self.skew.get().abs() <= 60;
        clocks_agree && org_is_calm && !self.is_shaken() && !self.durable.is_failing()
    }

    /// Whether something happened to nodes or storage a moment ago.
    pub fn is_shaken(&self) -> bool {
        self.shaken_until.get() >= Instant::now()
    }

    /// The configs that a role of `config` may be under.
    pub fn peers(&self, config: usize) -> impl Iterator<Item = &Org> {
        let has_moved = !self.moved_roles.borrow().is_empty();
        let own = self.orgs.get(config);
        let is_peer = move |org: &&Org| {
            let is_of_own = |own: &Org| has_moved && own.id == org.id;
            org.number == config || own.is_some_and(is_of_own)
        };
        self.orgs.iter().filter(is_peer)
    }

    /// The organization of the config has trouble for so long, which may show for `after` more to all of
    /// its configs.
    pub fn trouble(&self, org: usize, time: Duration, after: Duration) {
        let id = &self.orgs[org].id;
        let own = self.orgs.iter().filter(|org| org.id == *id);
        own.for_each(|org| org.trouble(time, after));
        if let Some(other) = self.neighbour.borrow().upgrade() {
            let there = other.orgs.iter().filter(|org| org.id == *id);
            there.for_each(|org| org.trouble(time, after));
        }
    }

    /// The id of the other cluster's mount, by which its tokens and custom roles are known.
    pub fn neighbours_mount(&self) -> Option<MountId> {
        let other = self.neighbour.borrow().upgrade()?;
        let entry = other.durable.entries().remove("v1/mount")?;
        let entry: Value = serde_json::from_slice(&entry.value).ok()?;
        MountId::deserialize(&entry["id"]).ok()
    }

    /// An operator asks for these limits of a role.  A write that fails may have happened.
    pub fn note_limits(&self, role: String, ttl: u64, max_ttl: u64) {
        let mut limits = self.role_limits.borrow_mut();
        limits.entry(role).or_default().push((ttl, max_ttl));
    }

    /// A config of another organization.
    pub fn another(&self, org: usize) -> Option<usize> {
        let count = self.orgs.len();
        let mut others = (1..count).map(|step| (org + step) % count);
        others.find(|other| self.orgs[*other].id != self.orgs[org].id)
    }

    /// Something happens to nodes or storage, which may show for so long.
    pub fn shake(&self, time: Duration) {
        let until = Instant::now() + time;
        self.shaken_until.set(self.shaken_until.get().max(until));
    }

    /// The plugin's process dies.
    pub fn crash(&self, repeats: bool) {
        self.repeats.set(repeats);
        self.end_active(false);
    }

    /// The host dies with it, and starts again.
    pub fn crash_host(self: &Rc<Self>) {
        self.repeats.set(false);
        self.interrupt();
        self.end_active(false);
        self.start_host();
    }

    /// Another node takes over.
    pub fn step_down(self: &Rc<Self>, lingers: bool) {
        self.repeats.set(false);
        self.interrupt();
        self.end_active(lingers);
        self.standby().die();
        *self.standby.borrow_mut() = Process::start(&self.durable, Access::Read);
        self.start_host();
    }

    /// The process ends in an orderly manner, and another begins.
    pub async fn reload(self: &Rc<Self>) {
        self.shake(Duration::from_secs(95));
        let ending = self.active();
        // The host waits for what is in flight before it reloads a plugin.
        let finished = tokio::time::timeout(Duration::from_secs(90), ending.finish()).await;
        if finished.is_err() || !Rc::ptr_eq(&ending, &self.active()) {
            return;
        }
        let mut interruptions = self.interruptions.subscribe();
        let clean_up = tokio::time::timeout(Duration::from_secs(10), ending.clean_up());
        tokio::select! {
            biased;
            ended = clean_up => if ended.is_err() && Rc::ptr_eq(&ending, &self.active()) {
                self.violation("the clean-up took more than 10 s".to_owned());
            },
            _ = interruptions.recv() => return,
        }
        if Rc::ptr_eq(&ending, &self.active()) {
            self.crash(false);
        }
    }

    /// Saves storage and leases.
    pub fn save(&self) {
        // No one would know how to repair an entry that comes back damaged.
        if self.durable.has_damage() {
            return;
        }
        *self.snapshot.borrow_mut() = Some(Snapshot {
            entries: self.durable.entries(),
            leases: self.leases.borrow().clone(),
            at: self.astra.now(),
            taken: now_utc(),
        });
    }

    /// Puts the saved copy back; whether there is one.
    pub fn restore(self: &Rc<Self>) -> bool {
        let Some(snapshot) = self.snapshot.borrow_mut().take() else {
            return false;
        };
        self.repeats.set(false);
        self.interrupt();
        self.end_active(false);
        self.standby().die();
        self.overtake(&snapshot.entries);
        self.durable.restore(snapshot.entries);
        // What was in flight when the copy was made is not in it either.
        let from = snapshot.at - Duration::from_secs(60);
        self.forgotten.borrow_mut().push((from, self.astra.now()));
        let now = Instant::now();
        let known = snapshot.leases.len();
        let former = self.leases.replace(snapshot.leases);
        let ending = former
            .iter()
            .filter(|lease| lease.state == LeaseState::Ending);
        let ending: BTreeSet<String> = ending.map(|lease| lease.client_id.clone()).collect();
        let lost = former.into_iter().skip(known);
        // Tokens that were being minted when the copy was made may be deleted
        // (docs/internals/reliability.md).
        let is_recovered =
            |lease: &Lease| lease.issued_utc > snapshot.taken + Duration::from_secs(60);
        let lost = lost.filter(|lease| {
            lease.state == LeaseState::Active && lease.end > now && is_recovered(lease)
        });
        self.lost_leases.borrow_mut().extend(lost);
        for lease in self.leases.borrow_mut().iter_mut() {
            // A deletion that was asked for before may be on its way, and takes effect only now.
            let is_over = !self.is_live(&lease.client_id) || ending.contains(&lease.client_id);
            lease.may_be_dead |= is_over;
        }
        *self.active.borrow_mut() = Process::start(&self.durable, Access::Write);
        *self.standby.borrow_mut() = Process::start(&self.durable, Access::Read);
        for org in &self.orgs {
            org.is_broken.set(true);
        }
        self.start_host();
        true
    }

    /// Notes what `restored` holds of the blocks that are in storage before it is restored: a create that
    /// is on its way now takes effect after it.
    fn overtake(&self, restored: &Entries) {
        let now = self.astra.now();
        let mut overtaken = self.overtaken.borrow_mut();
        for (key, entry) in self.durable.intents() {
            let restored = restored.get(&key);
            let block = key.rsplit('/').next().unwrap_or_default();
            let block_overtaken = Overtaken {
                from: now,
                until: now + LATE_CREATE_WINDOW,
                is_newer: restored.is_some_and(|restored| restored.value != entry.value),
                restored: restored
                    .and_then(|restored| serde_json::from_slice(&restored.value).ok()),
            };
            overtaken.insert(block.to_owned(), block_overtaken);
        }
    }

    fn interrupt(&self) {
        let _ = self.interruptions.send(());
        self.ticking.set(false);
    }

    fn end_active(&self, lingers: bool) {
        self.shake(Duration::from_secs(95));
        // Known: what the host hides from one process it hides from the next, which cannot know it
        // (docs/internals/reliability.md, "Limits").
        self.durable.drop_cache();
        self.last_words.borrow_mut().push(self.durable.intents());
        let ending = self.active();
        match lingers {
            true => ending.set_access(Access::None),
            false => ending.die(),
        }
        self.durable.fail(None);
        *self.active.borrow_mut() = Process::start(&self.durable, Access::Write);
    }

    fn start_host(self: &Rc<Self>) {
        self.era.set(self.era.get() + 1);
        let pending: Vec<usize> = {
            let leases = self.leases.borrow();
            let pending = leases
                .iter()
                .filter(|lease| matches!(lease.state, LeaseState::Active | LeaseState::Ending));
            pending.map(|lease| lease.id).collect()
        };
        for id in pending {
            self.arm(id);
        }
    }
}

impl Org {
    /// It has trouble for so long, which may show for `after` more.
    pub fn trouble(&self, time: Duration, after: Duration) {
        let until = Instant::now() + time;
        let later = |cell: &Cell<Instant>, until| cell.set(cell.get().max(until));
        later(&self.faulty_until, until);
        later(&self.troubled_until, until + after);
    }
}
