//! A mount without a host: storage in memory that can fail, the emulator, and the host's requests.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::AstraFactory;
use crate::engine::Deadlines;
use crate::engine::testing;
use crate::vault::Backend;
use crate::vault::Entry;
use crate::vault::Error;
use crate::vault::Factory;
use crate::vault::HandlerResult;
use crate::vault::Lease;
use crate::vault::LeaseInfo;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::Storage;
use crate::vault::StorageError;
use crate::vault::memory::FixedSystem;
use crate::vault::memory::MemoryStorage;
use crate::vault::memory::NoEvents;

/// The Astra role that tests give out.
pub const READER: &str = "API RO User";
/// Its id.
pub const READER_ID: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";

/// How much longer than its lease a token may live, and how much later its lease may begin.
const GRACE: Duration = Duration::from_secs(600);
const LATE: Duration = Duration::from_secs(60);

/// A mounted engine, its organization and its storage.
pub struct Bench {
    pub astra: Emulator,
    pub storage: Arc<Flaky>,
    pub engine: Arc<dyn Backend>,
    pub system: FixedSystem,
    pub deadlines: Deadlines,
    /// What callers received and what they were told.
    pub told: Arc<Mutex<Told>>,
}

/// What the engine answered, to be issued against what Astra has.
#[derive(Default)]
pub struct Told {
    /// Credentials that were handed out.
    delivered: Vec<Credential>,
    /// Client ids of tokens whose revocation was answered with success.
    revoked: Vec<String>,
}

/// A credential as a caller holds it.
#[derive(Clone, Debug)]
pub struct Credential {
    pub client_id: String,
    pub data: Map<String, Value>,
    pub lease: Lease,
    pub warnings: Vec<String>,
}

/// Storage whose writes fail on request.
#[derive(Default)]
pub struct Flaky {
    pub memory: MemoryStorage,
    plan: Mutex<Option<Plan>>,
}

/// Which write fails.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many writes and deletions work before.
    pub after: usize,
    /// Whether the write happens although the host says that it did not.
    pub written: bool,
    /// Whether all those after it fail too.
    pub for_good: bool,
}

impl Flaky {
    /// From now on writes fail as planned; `None` lets all work.
    pub fn plan(&self, plan: Option<Plan>) {
        *self.plan.lock() = plan;
    }

    /// `Some(whether it happens all the same)` for a write that fails.
    fn verdict(&self) -> Option<bool> {
        let mut plan = self.plan.lock();
        let mut due = (*plan)?;
        if due.after > 0 {
            due.after -= 1;
            *plan = Some(due);
            return None;
        }
        if !due.for_good {
            *plan = None;
        }
        Some(due.written)
    }
}

fn gone() -> StorageError {
    StorageError::Unreachable("the host does not answer".to_owned())
}

#[async_trait]
impl Storage for Flaky {
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.memory.list(prefix).await
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StorageError> {
        self.memory.list_page(prefix, after, limit).await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StorageError> {
        self.memory.get(key).await
    }

    async fn put(&self, entry: Entry) -> Result<(), StorageError> {
        // A host is another process: others run meanwhile.
        tokio::task::yield_now().await;
        match self.verdict() {
            None => self.memory.put(entry).await,
            Some(false) => Err(gone()),
            Some(true) => self.memory.put(entry).await.and(Err(gone())),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        match self.verdict() {
            None => self.memory.delete(key).await,
            Some(false) => Err(gone()),
            Some(true) => self.memory.delete(key).await.and(Err(gone())),
        }
    }
}

impl Bench {
    /// An engine on an organization, not yet told of each other.
    pub async fn new() -> Self {
        Self::with(Options::default(), Deadlines::default()).await
    }

    /// [`Bench::new`] with other settings.
    pub async fn with(options: Options, deadlines: Deadlines) -> Self {
        let astra = Emulator::start(options).await.unwrap();
        let storage = Arc::new(Flaky::default());
        let system = FixedSystem::default();
        let engine = engine(&storage, &system, deadlines);
        Self {
            astra,
            storage,
            engine,
            system,
            deadlines,
            told: Arc::default(),
        }
    }

    /// An engine with the config `default` and the role `reader`.
    pub async fn mounted() -> Self {
        let bench = Self::new().await;
        bench.mount().await;
        bench
    }

    /// Writes the config `default` and the role `reader`.
    pub async fn mount(&self) {
        let config = self.config(json!({}));
        self.write("config", config).await.unwrap();
        let role = json!({"astra_roles": READER});
        self.write("roles/reader", role).await.unwrap();
    }

    /// What the config `default` is written with, changed by `changes`.
    pub fn config(&self, changes: Value) -> Value {
        let mut config = json!({"token": self.astra.root_token(), "url": self.astra.url()});
        let Value::Object(changes) = changes else {
            panic!("changes are an object");
        };
        config.as_object_mut().unwrap().extend(changes);
        config
    }

    /// The process dies, and another takes over; storage works again.
    pub fn restart(&mut self) {
        self.storage.plan(None);
        self.engine = engine(&self.storage, &self.system, self.deadlines);
    }

    /// The process starts again on a node whose clock is ahead.
    pub fn restart_ahead(&mut self, ahead: Duration) {
        let mount = mount(&self.storage, &self.system);
        let factory = AstraFactory {
            deadlines: self.deadlines,
        };
        let framework = factory.framework(&mount).unwrap();
        framework.engine.clock.advance(ahead);
        self.engine = Arc::new(framework);
    }

    /// The root token of the first organization's administrator, another at each call.
    pub fn another_root_token(&self) -> String {
        let portal = astra_emulator::PortalToken {
            roles: self.astra.seeds().tokens["org_admin"].roles.clone(),
            ..Default::default()
        };
        self.astra.create_token(portal).unwrap().token
    }

    /// Sends a request as the host does.
    pub async fn call(&self, operation: Operation, path: &str, data: Value) -> HandlerResult {
        self.engine.handle(request(operation, path, data)).await
    }

    pub async fn write(&self, path: &str, data: Value) -> HandlerResult {
        let asked = request(Operation::Update, path, data.clone());
        let operation = match self.engine.exists(asked).await? {
            Some(false) => Operation::Create,
            _ => Operation::Update,
        };
        self.call(operation, path, data).await
    }

    pub async fn patch(&self, path: &str, data: Value) -> HandlerResult {
        self.call(Operation::Patch, path, data).await
    }

    pub async fn delete(&self, path: &str, data: Value) -> HandlerResult {
        self.call(Operation::Delete, path, data).await
    }

    /// The data of a read or a list; `None` where the host says 404.
    pub async fn read(&self, path: &str) -> Option<Value> {
        let operation = match path.ends_with('/') {
            true => Operation::List,
            false => Operation::Read,
        };
        let response = self.call(operation, path, json!({})).await.unwrap()?;
        Some(Value::Object(response.data().clone()))
    }

    /// The message that a write is refused with as the caller's fault.
    pub async fn refusal(&self, path: &str, data: Value) -> String {
        refused(self.write(path, data).await)
    }

    /// Mints a credential that the caller receives.
    pub async fn mint(&self, role: &str) -> Result<Credential, Error> {
        self.mint_with(role, json!({})).await
    }

    pub async fn mint_with(&self, role: &str, data: Value) -> Result<Credential, Error> {
        let asked = request(Operation::Read, &format!("creds/{role}"), data);
        self.mint_for(asked).await
    }

    pub async fn mint_for(&self, request: Request) -> Result<Credential, Error> {
        let response = self.engine.handle(request).await?.unwrap();
        let credential = Credential::of(response);
        let mut told = self.told.lock();
        told.delivered.push(credential.clone());
        Ok(credential)
    }

    pub async fn renew(&self, credential: &Credential) -> HandlerResult {
        self.engine
            .handle(on_lease(Operation::Renew, credential))
            .await
    }

    pub async fn revoke(&self, credential: &Credential) -> HandlerResult {
        let outcome = self
            .engine
            .handle(on_lease(Operation::Revoke, credential))
            .await;
        if outcome.is_ok() {
            let client_id = credential.client_id.clone();
            self.told.lock().revoked.push(client_id);
        }
        outcome
    }

    /// The host's tick.
    pub async fn tick(&self) {
        let tick = self.call(Operation::Rollback, "", json!({}));
        tick.await.unwrap();
    }

    /// From now on requests go wrong.
    pub fn fault(&self, method: &str, path: &str, fault: Fault) {
        let rule = FaultRule::new(fault).on(method, path);
        self.astra.add_fault(rule).unwrap();
    }

    /// The next request goes wrong.
    pub fn fault_once(&self, method: &str, path: &str, fault: Fault) {
        let rule = FaultRule::new(fault).on(method, path).times(1);
        self.astra.add_fault(rule).unwrap();
    }

    /// The live tokens that were minted through the API, sorted.
    pub fn live(&self) -> Vec<String> {
        let live = self.astra.live_tokens().into_iter();
        let mut live: Vec<String> = live.map(|token| token.client_id).collect();
        live.sort();
        live
    }

    /// How many requests there were with `method` on a path that begins with `path`.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        let journal = self.astra.journal();
        let matching = journal
            .iter()
            .filter(|entry| entry.method == method && entry.path.starts_with(path));
        matching.count()
    }

    /// Nothing is left but what is still leased, and the engine used the API as published.
    pub fn assert_clean(&self, issued: &[&Credential], what: &str) {
        let credentials = issued.to_vec();
        let mut issued: Vec<String> = issued
            .iter()
            .map(|issued| issued.client_id.clone())
            .collect();
        issued.sort();
        assert_eq!(self.live(), issued, "{what}: live tokens, and those issued");
        let invariants = self.astra.invariants();
        assert_eq!(invariants.orphans, 0, "{what}: orphans");
        assert_eq!(invariants.foreign_deletes, 0, "{what}: foreign deletes");
        let violations = self.astra.violations();
        assert!(violations.is_empty(), "{what}: {violations:?}");
        self.assert_bounded(&credentials, what);
        self.assert_told_truly(what);
    }

    /// What callers were told is true: no credential that was handed out outlives its lease by more than
    /// the grace, no revocation that was answered with success leaves its token.  That each lease has
    /// a TTL is checked when it is received.
    pub fn assert_told_truly(&self, what: &str) {
        let told = self.told.lock();
        // Another organization's may be in another service.
        let is_here = |credential: &&Credential| self.astra.token(&credential.client_id).is_some();
        let delivered: Vec<&Credential> = told.delivered.iter().filter(is_here).collect();
        self.assert_bounded(&delivered, what);
        let live = self.live();
        let left: Vec<&String> = told
            .revoked
            .iter()
            .filter(|client_id| live.contains(client_id))
            .collect();
        assert!(left.is_empty(), "{what}: revoked and live: {left:?}");
    }

    /// No token of `issued` lives longer than the grace after the longest end of its lease, by Astra's
    /// clock or by that of the node: where the two differ, an expiry can be right by one only.
    pub fn assert_bounded(&self, issued: &[&Credential], what: &str) {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        for credential in issued {
            let token = self.astra.token(&credential.client_id).unwrap();
            match &token.token_expiry {
                Some(expiry) => {
                    let minted_at = credential.lease.internal_data["minted_at"].as_str();
                    let by_node = time(expiry) - time(minted_at.unwrap());
                    let life = by_node.min(time(expiry) - time(&token.generated_on));
                    let longest = credential.lease.max_ttl + GRACE + LATE;
                    assert!(life <= longest, "{what}: {life} for {:?}", credential.lease);
                }
                None => assert!(
                    credential
                        .warnings
                        .iter()
                        .any(|warning| warning.contains("does not keep expiries")),
                    "{what}: a token without an end"
                ),
            }
        }
    }
}

impl Credential {
    /// The same, minted so long ago that Astra has shown it everywhere.
    pub fn aged(mut self) -> Self {
        let past = Value::from("2020-01-01T00:00:00Z");
        self.lease
            .internal_data
            .insert("minted_at".to_owned(), past);
        self
    }

    pub fn of(response: Response) -> Self {
        let lease = response.lease().unwrap();
        assert!(!lease.ttl.is_zero(), "0 means the mount's default");
        assert!(lease.ttl <= lease.max_ttl, "{lease:?}");
        Self {
            client_id: response.data()["client_id"].as_str().unwrap().to_owned(),
            data: response.data().clone(),
            lease: response.lease().unwrap().clone(),
            warnings: response.warnings().to_vec(),
        }
    }

    /// A value of the answer.
    pub fn text(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap()
    }
}

fn engine(storage: &Arc<Flaky>, system: &FixedSystem, deadlines: Deadlines) -> Arc<dyn Backend> {
    let mount = mount(storage, system);
    AstraFactory { deadlines }.build(mount).unwrap()
}

fn mount(storage: &Arc<Flaky>, system: &FixedSystem) -> Mount {
    Mount {
        uuid: "mount".to_owned(),
        options: Default::default(),
        storage: Arc::clone(storage) as Arc<dyn Storage>,
        system: Arc::new(system.clone()),
        events: Arc::new(NoEvents),
    }
}

/// A request with an id of its own.
pub fn request(operation: Operation, path: &str, data: Value) -> Request {
    Request {
        display_name: "token-ci".to_owned(),
        ..testing::request(operation, path, data)
    }
}

/// A request of the host's lease machinery, which has no id.
pub fn on_lease(operation: Operation, credential: &Credential) -> Request {
    let lease = LeaseInfo {
        internal_data: credential.lease.internal_data.clone(),
        ttl: credential.lease.ttl,
        max_ttl: credential.lease.max_ttl,
        increment: Duration::ZERO,
        issue_time: None,
        lease_id: String::new(),
    };
    Request {
        id: String::new(),
        lease: Some(lease),
        ..request(operation, "creds/reader", json!({}))
    }
}

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

/// Waits until `holds`, for as long as a busy machine may need.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
