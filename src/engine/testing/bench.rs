//! An engine over storage in memory and the emulator, whose storage fails on request and whose
//! process can die.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use astra_emulator::TokenState;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::engine::AstraFactory;
use crate::engine::Engine;
use crate::framework::Framework;
use crate::vault::Backend;
use crate::vault::Entry;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::LeaseInfo;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::ReplicationState;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::Storage;
use crate::vault::StorageError;
use crate::vault::memory::FixedSystem;
use crate::vault::memory::MemoryStorage;
use crate::vault::memory::NoEvents;

/// The Astra role that tests give out.
pub const READER: &str = "API RO User";

/// A mount.
pub struct Bench {
    pub astra: Emulator,
    pub storage: Arc<Flaky>,
    pub mount: Framework<Engine>,
    system: FixedSystem,
    ahead: Duration,
}

/// Storage whose writes fail on request.
#[derive(Default)]
pub struct Flaky {
    pub memory: MemoryStorage,
    plan: Mutex<Option<Plan>>,
    /// Told when a write never returns.
    pub hung: tokio::sync::Notify,
}

/// How writes below a key fail.
#[derive(Clone)]
pub struct Plan {
    /// The keys that fail, by how they begin.
    pub prefix: String,
    /// How many writes to them work before.
    pub after: usize,
    /// Whether the write happens all the same.
    pub written: bool,
    /// Whether reads fail too, from then on.
    pub and_reads: bool,
    /// Whether the write never returns.
    pub hangs: bool,
}

impl Flaky {
    pub fn plan(&self, plan: Option<Plan>) {
        *self.plan.lock() = plan;
    }

    /// Whether this write fails, and whether it happens.
    fn verdict(&self, key: &str) -> Option<Plan> {
        let mut plan = self.plan.lock();
        let found = plan.as_mut().filter(|plan| key.starts_with(&plan.prefix))?;
        if found.after > 0 {
            found.after -= 1;
            return None;
        }
        let found = found.clone();
        if found.and_reads {
            self.memory.set_failure(Some(lost()));
        }
        Some(found)
    }
}

fn lost() -> StorageError {
    StorageError::Unreachable("the host is gone".to_owned())
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
        match self.verdict(&entry.key) {
            None => self.memory.put(entry).await,
            Some(plan) => {
                if plan.written {
                    self.memory.set_failure(None);
                    self.memory.put(entry).await?;
                    if plan.and_reads {
                        self.memory.set_failure(Some(lost()));
                    }
                }
                if plan.hangs {
                    self.hung.notify_one();
                    std::future::pending::<()>().await;
                }
                Err(lost())
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.memory.delete(key).await
    }
}

impl Bench {
    /// A mount with the config `default`.
    pub async fn new() -> Self {
        let options = Options {
            show_secrets: true,
            ..Options::default()
        };
        let astra = Emulator::start(options).await.unwrap();
        let storage = Arc::new(Flaky::default());
        let system = FixedSystem::default();
        let mount = mount(&storage, &system);
        let bench = Self {
            astra,
            storage,
            mount,
            system,
            ahead: Duration::ZERO,
        };
        let token = bench.astra.root_token();
        bench.write("config", bench.config(&token)).await.unwrap();
        bench
    }

    /// What a config with `token` is written with.
    pub fn config(&self, token: &str) -> Value {
        json!({"token": token, "url": self.astra.url()})
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
        call(&self.mount, operation, path, data).await
    }

    pub async fn write(&self, path: &str, data: Value) -> HandlerResult {
        let exists = self
            .mount
            .exists(request(Operation::Update, path, data.clone()));
        let operation = match exists.await {
            Ok(Some(false)) => Operation::Create,
            // As the host does, which lets the write itself tell what is wrong.
            Ok(_) | Err(Error::UnsupportedPath) => Operation::Update,
            Err(error) => return Err(error),
        };
        self.call(operation, path, data).await
    }

    /// The data that a read returns.
    pub async fn read(&self, path: &str) -> Map<String, Value> {
        let response = self.call(Operation::Read, path, json!({})).await.unwrap();
        response.unwrap().data().clone()
    }

    /// The message of the bad request that a write is refused as.
    pub async fn refusal(&self, path: &str, data: Value) -> String {
        match self.write(path, data).await {
            Err(Error::BadRequest(text)) => text,
            Err(error) => panic!("{error:?}"),
            Ok(_) => panic!("it was accepted"),
        }
    }

    /// Ends the lease of a credential.
    pub async fn revoke(&self, credential: &Response) -> HandlerResult {
        let lease = credential.lease().unwrap();
        let lease = LeaseInfo {
            internal_data: lease.internal_data.clone(),
            ttl: lease.ttl,
            max_ttl: lease.max_ttl,
            increment: Duration::ZERO,
            issue_time: None,
            lease_id: String::new(),
        };
        let request = Request {
            lease: Some(lease),
            ..request(Operation::Revoke, "", json!({}))
        };
        self.mount.handle(request).await
    }

    /// Extends a lease.
    pub async fn renew(&self, lease: LeaseInfo) -> HandlerResult {
        let request = Request {
            lease: Some(lease),
            ..request(Operation::Renew, "", json!({}))
        };
        self.mount.handle(request).await
    }

    pub async fn tick(&self) {
        let tick = self.call(Operation::Rollback, "", json!({}));
        tick.await.unwrap();
    }

    /// Lets time pass, here and in Astra.
    pub fn advance(&mut self, time: Duration) {
        self.astra.advance_clock(time);
        self.mount.engine.clock.advance(time);
        self.ahead += time;
    }

    /// The process dies, and another takes over.
    pub fn restart(&mut self) {
        self.storage.plan(None);
        self.storage.memory.set_failure(None);
        self.mount = mount(&self.storage, &self.system);
        self.mount.engine.clock.advance(self.ahead);
    }

    /// From now on this node is a standby, which must forward, or no longer.
    pub fn set_standby(&mut self, standby: bool) {
        // The performance standby's bit (docs/internals/protocol.md, "Replication state").
        self.system.replication_state = if standby {
            ReplicationState(64)
        } else {
            FixedSystem::default().replication_state
        };
        self.restart();
    }

    pub fn fault(&self, method: &str, path: &str, fault: Fault) -> u64 {
        let rule = FaultRule::new(fault).on(method, path);
        self.astra.add_fault(rule).unwrap()
    }

    /// Whether the token with `client_id` works.
    pub fn is_live(&self, client_id: &str) -> bool {
        let token = self.astra.token(client_id);
        token.is_some_and(|token| token.state == TokenState::Active)
    }

    /// The client ids of all tokens that work and were minted through the API.
    pub fn minted(&self) -> Vec<String> {
        let live = self.astra.live_tokens().into_iter();
        live.map(|token| token.client_id).collect()
    }

    /// How many requests there were to Astra.
    pub fn requests(&self) -> usize {
        self.astra.journal().len()
    }
}

/// Runs `work` until it ends or a write hangs, and then drops it: what a process's death at that await
/// looks like.
pub async fn until_hung(storage: &Flaky, work: impl Future<Output = HandlerResult>) {
    tokio::select! {
        _ = work => {}
        () = storage.hung.notified() => {}
    }
}

/// The answer's warnings.
pub fn warnings(response: Option<Response>) -> Vec<String> {
    response.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

pub async fn call(
    mount: &Framework<Engine>,
    operation: Operation,
    path: &str,
    data: Value,
) -> HandlerResult {
    mount.handle(request(operation, path, data)).await
}

fn mount(storage: &Arc<Flaky>, system: &FixedSystem) -> Framework<Engine> {
    let mount = Mount {
        uuid: "mount".to_owned(),
        options: Default::default(),
        storage: Arc::clone(storage) as Arc<dyn Storage>,
        system: Arc::new(system.clone()),
        events: Arc::new(NoEvents),
    };
    AstraFactory::default().framework(&mount).unwrap()
}

/// A request with an id of its own.
pub fn request(operation: Operation, path: &str, data: Value) -> Request {
    let Value::Object(data) = data else {
        panic!("data is an object");
    };
    Request {
        display_name: "token".to_owned(),
        mount_point: "astra/".to_owned(),
        mount_type: "astra".to_owned(),
        ..Request::new(operation, path, data)
    }
}
