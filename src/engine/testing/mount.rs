//! An engine over storage in memory and the emulator in process: it can die, and time can pass.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Matcher;
use astra_emulator::Options;
use astra_emulator::TokenState;
use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Credential;
use super::Leased;
use super::credential::Told;
use super::refused;
use super::simulation::trace::Trace;
use super::virtual_time;
use crate::engine::AstraFactory;
use crate::engine::Deadlines;
use crate::engine::Engine;
use crate::framework::Framework;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Events;
use crate::vault::HandlerResult;
use crate::vault::LeaseInfo;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::ReplicationState;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::Storage;
use crate::vault::memory::FixedSystem;
use crate::vault::memory::MemoryStorage;
use crate::vault::memory::NoEvents;

/// The Astra role that tests give out.
pub const READER: &str = "API RO User";
/// Its id.
pub const READER_ID: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";

/// A mounted engine, its organization and its storage.
pub struct AstraMount {
    pub astra: Emulator,
    pub storage: Arc<MemoryStorage>,
    /// The engine of the process that runs now.
    pub backend: Arc<Framework<Engine>>,
    /// What the next process is told of its node.
    pub system: FixedSystem,
    /// The deadlines of the next process.
    pub deadlines: Deadlines,
    events: Arc<dyn Events>,
    ahead: Duration,
    pub(super) told: Arc<Mutex<Told>>,
}

impl AstraMount {
    /// An engine and an organization that know nothing of each other yet.
    pub async fn new() -> Self {
        Self::with(Options::default(), Deadlines::default()).await
    }

    /// The same with other settings.
    pub async fn with(options: Options, deadlines: Deadlines) -> Self {
        let astra = Emulator::start(options).await.unwrap();
        Self::over(astra, deadlines, Arc::new(NoEvents))
    }

    /// The same under [virtual time](virtual_time::run).
    pub fn in_virtual_time(deadlines: Deadlines) -> Self {
        let trace = Arc::new(Trace::new(false));
        let astra = virtual_time::astra(Options::default(), trace);
        Self::over(astra, deadlines, Arc::new(NoEvents))
    }

    /// The same, which tells `events` what happens.
    pub async fn with_events(events: Arc<dyn Events>) -> Self {
        let astra = Emulator::start(Options::default()).await.unwrap();
        Self::over(astra, Deadlines::default(), events)
    }

    /// An engine with the config `default`, and an organization that shows the secrets of its tokens.
    pub async fn configured() -> Self {
        let options = Options {
            show_secrets: true,
            ..Options::default()
        };
        let mount = Self::with(options, Deadlines::default()).await;
        mount
            .write_config("default", &mount.astra.root_token())
            .await;
        mount
    }

    /// An engine with the config `default` and the role `reader`.
    pub async fn mounted() -> Self {
        let mount = Self::new().await;
        mount.mount().await;
        mount
    }

    fn over(astra: Emulator, deadlines: Deadlines, events: Arc<dyn Events>) -> Self {
        let storage = Arc::new(MemoryStorage::new());
        // A host is another process: others run meanwhile.
        storage.set_yields(true);
        let system = FixedSystem::default();
        Self {
            backend: backend(&storage, &system, deadlines, &events),
            astra,
            storage,
            system,
            deadlines,
            events,
            ahead: Duration::ZERO,
            told: Arc::default(),
        }
    }

    /// Another process over the same storage, as on another node.
    pub fn another_node(&self) -> Self {
        let system = FixedSystem::default();
        Self {
            astra: self.astra.clone(),
            storage: Arc::clone(&self.storage),
            backend: backend(&self.storage, &system, self.deadlines, &self.events),
            system,
            deadlines: self.deadlines,
            events: Arc::clone(&self.events),
            ahead: Duration::ZERO,
            told: Arc::clone(&self.told),
        }
    }

    /// Another mount over a copy of the storage, as a cluster that is restored from a snapshot.
    pub async fn fork(&self) -> Self {
        let fork = Self::over(self.astra.clone(), self.deadlines, Arc::clone(&self.events));
        for key in self.storage.keys() {
            let entry = self.storage.get(&key).await.unwrap();
            fork.storage.put(entry.unwrap()).await.unwrap();
        }
        fork
    }

    /// Writes the config `default` and the role `reader`.
    pub async fn mount(&self) {
        let config = self.config(json!({}));
        self.write("config", config).await.unwrap();
        let role = json!({"astra_roles": READER});
        self.write("roles/reader", role).await.unwrap();
    }

    /// Writes a config with `token`.
    pub async fn write_config(&self, name: &str, token: &str) {
        let data = self.config(json!({"token": token}));
        self.write(&format!("config/{name}"), data).await.unwrap();
    }

    /// What a config for the first organization is written with, changed by `changes`.
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
        self.storage.set_write_fault(None);
        self.storage.set_failure(None);
        self.backend = backend(&self.storage, &self.system, self.deadlines, &self.events);
        self.backend.engine.clock.advance(self.ahead);
    }

    /// The process starts again on a node whose clock is ahead.
    pub fn restart_ahead(&mut self, ahead: Duration) {
        self.ahead += ahead;
        self.restart();
    }

    /// The process starts again on a node whose clock is right again.
    pub fn restart_with_clock_set_back(&mut self, ahead: Duration) {
        self.ahead -= ahead;
        self.restart();
    }

    /// The process starts again on a standby, which must forward, or on an active node.
    pub fn set_standby(&mut self, standby: bool) {
        // The performance standby's bit (docs/internals/protocol.md, "Replication state").
        self.system.replication_state = if standby {
            ReplicationState(64)
        } else {
            FixedSystem::default().replication_state
        };
        self.restart();
    }

    /// Lets time pass, here and in Astra.
    pub fn advance(&mut self, time: Duration) {
        self.astra.advance_clock(time);
        self.backend.engine.clock.advance(time);
        self.ahead += time;
    }

    /// The root token of the first organization's administrator, another at each call.
    pub fn another_root_token(&self) -> String {
        let portal = astra_emulator::PortalToken {
            roles: self.astra.seeds().tokens["org_admin"].roles.clone(),
            ..Default::default()
        };
        self.astra.create_token(portal).unwrap().token
    }

    /// Sends a request.
    pub async fn handle(&self, request: Request) -> HandlerResult {
        self.backend.handle(request).await
    }

    /// Sends a request as the host does.
    pub async fn call(&self, operation: Operation, path: &str, data: Value) -> HandlerResult {
        self.handle(request(operation, path, data)).await
    }

    /// The mount ends in good order.
    pub async fn cleanup(&self) {
        self.backend.cleanup().await;
    }

    /// Another node wrote the entry at `key`.
    pub async fn invalidate(&self, key: &str) {
        self.backend.invalidate(key).await;
    }

    pub async fn write(&self, path: &str, data: Value) -> HandlerResult {
        let asked = request(Operation::Update, path, data.clone());
        let operation = match self.backend.exists(asked).await {
            Ok(Some(false)) => Operation::Create,
            // As the host does, which lets the write itself tell what is wrong.
            Ok(_) | Err(Error::UnsupportedPath) => Operation::Update,
            Err(error) => return Err(error),
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

    /// A read that must find something.
    pub async fn read_response(&self, path: &str) -> Response {
        let response = self.call(Operation::Read, path, json!({})).await.unwrap();
        response.expect("an answer")
    }

    /// The data of a read that must find something.
    pub async fn read_data(&self, path: &str) -> Map<String, Value> {
        self.read_response(path).await.data().clone()
    }

    /// A read whose request has the id `id`, as when the host repeats it.
    pub async fn read_as(&self, id: &str, path: &str) -> HandlerResult {
        let request = Request {
            id: id.to_owned(),
            ..request(Operation::Read, path, json!({}))
        };
        self.handle(request).await
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
        let response = self.handle(request).await?.unwrap();
        let credential = Credential::of(response);
        self.told.lock().delivered.push(credential.clone());
        Ok(credential)
    }

    /// Extends the lease of a credential.
    pub async fn renew(&self, credential: &impl Leased) -> HandlerResult {
        let request = on_lease(Operation::Renew, credential);
        self.handle(request).await
    }

    /// Extends a lease that need not be one of the engine's.
    pub async fn renew_lease(&self, lease: LeaseInfo) -> HandlerResult {
        let request = Request {
            lease: Some(lease),
            ..request(Operation::Renew, "", json!({}))
        };
        self.handle(request).await
    }

    /// Ends the lease of a credential.
    pub async fn revoke(&self, credential: &impl Leased) -> HandlerResult {
        let request = on_lease(Operation::Revoke, credential);
        let outcome = self.handle(request).await;
        if outcome.is_ok() {
            let client_id = credential.client_id().to_owned();
            self.told.lock().revoked.push(client_id);
        }
        outcome
    }

    /// The host's tick.
    pub async fn tick(&self) {
        let tick = self.call(Operation::Rollback, "", json!({}));
        tick.await.unwrap();
    }

    /// Ticks until Astra has shown all that it ever made.
    pub async fn until_all_is_shown(&self) {
        for _ in 0..2 {
            self.tick().await;
            tokio::time::sleep(Duration::from_secs(121)).await;
        }
        self.tick().await;
    }

    /// From now on requests go wrong, until the rule with this number is removed.
    pub fn fault(&self, method: &str, path: &str, fault: Fault) -> u64 {
        let rule = FaultRule::new(fault).on(method, path);
        self.astra.add_fault(rule).unwrap()
    }

    /// The next request goes wrong.
    pub fn fault_once(&self, method: &str, path: &str, fault: Fault) {
        let rule = FaultRule::new(fault).on(method, path).times(1);
        self.astra.add_fault(rule).unwrap();
    }

    /// Runs `work` until its request number `nth` to Astra hangs, before or after it took effect, and then
    /// drops it: what a process's death at that await looks like.
    pub async fn until_request_hangs(
        &self,
        nth: u64,
        committed: bool,
        work: impl Future<Output = HandlerResult>,
    ) {
        let before = self.all_requests() as u64;
        let mut rule = FaultRule::new(Fault::Hang { committed });
        rule.matcher = Matcher {
            nth: Some(nth),
            ..Matcher::default()
        };
        self.astra.add_fault(rule).unwrap();
        let hung = async {
            while (self.all_requests() as u64) < before + nth {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = work => {}
            () = hung => {}
        }
    }

    /// Whether the token with `client_id` works.
    pub fn is_live(&self, client_id: &str) -> bool {
        let token = self.astra.token(client_id);
        token.is_some_and(|token| token.state == TokenState::Active)
    }

    /// The client ids of the live tokens that were minted through the API, sorted.
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

    /// How many requests there were to Astra.
    pub fn all_requests(&self) -> usize {
        self.astra.journal().len()
    }
}

/// Runs `work` until it ends or a write hangs, and then drops it: what a process's death at that await
/// looks like.
pub async fn until_hung(storage: &MemoryStorage, work: impl Future<Output = HandlerResult>) {
    tokio::select! {
        _ = work => {}
        () = storage.hung() => {}
    }
}

/// A request with an id of its own.
pub fn request(operation: Operation, path: &str, data: Value) -> Request {
    let Value::Object(data) = data else {
        panic!("data is an object");
    };
    Request {
        display_name: "token-ci".to_owned(),
        mount_point: "astra/".to_owned(),
        mount_type: "astra".to_owned(),
        ..Request::new(operation, path, data)
    }
}

/// A request of the host's lease machinery, which has no id.
pub fn on_lease(operation: Operation, credential: &impl Leased) -> Request {
    Request {
        id: String::new(),
        lease: Some(LeaseInfo::from(credential.lease())),
        ..request(operation, "creds/reader", json!({}))
    }
}

fn backend(
    storage: &Arc<MemoryStorage>,
    system: &FixedSystem,
    deadlines: Deadlines,
    events: &Arc<dyn Events>,
) -> Arc<Framework<Engine>> {
    let mount = Mount {
        storage: Arc::clone(storage) as Arc<dyn Storage>,
        system: Arc::new(system.clone()),
        events: Arc::clone(events),
        ..Mount::in_memory()
    };
    let framework = AstraFactory { deadlines }.framework(&mount);
    Arc::new(framework.unwrap())
}
