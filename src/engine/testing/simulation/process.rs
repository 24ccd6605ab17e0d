//! One process of the plugin on one node.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::chance;
use super::durable::Access;
use super::durable::Durable;
use super::durable::NodeStorage;
use crate::engine::AstraFactory;
use crate::engine::Engine;
use crate::framework::Framework;
use crate::vault::Backend;
use crate::vault::HandlerResult;
use crate::vault::HostInfo;
use crate::vault::Mount;
use crate::vault::ReplicationState;
use crate::vault::Request;
use crate::vault::SystemError;
use crate::vault::SystemView;
use crate::vault::memory::FixedSystem;
use crate::vault::memory::NoEvents;

/// The longest that a mount of the simulation lets a lease last.
pub const MAX_LEASE: Duration = Duration::from_secs(1_200);
/// How long it lasts unless somebody says.
const DEFAULT_LEASE: Duration = Duration::from_secs(300);

/// A process.
pub struct Process {
    access: Arc<AtomicU8>,
    backend: Arc<Framework<Engine>>,
    tasks: RefCell<Vec<AbortHandle>>,
}

struct NodeSystem {
    access: Arc<AtomicU8>,
    fixed: FixedSystem,
}

impl Process {
    /// A new process over `durable`, active or standby.
    pub fn start(durable: &Arc<Durable>, access: Access) -> Rc<Self> {
        let access = Arc::new(AtomicU8::new(access as u8));
        let system = Arc::new(NodeSystem {
            access: Arc::clone(&access),
            fixed: FixedSystem {
                default_lease_ttl: DEFAULT_LEASE,
                max_lease_ttl: MAX_LEASE,
                ..FixedSystem::default()
            },
        });
        let storage = NodeStorage::new(Arc::clone(durable), Arc::clone(&access));
        let mount = Mount {
            uuid: "mount".to_owned(),
            options: Default::default(),
            storage: Arc::new(storage),
            system,
            events: Arc::new(NoEvents),
        };
        let backend = AstraFactory::default().framework(&mount).unwrap();
        Rc::new(Self {
            access,
            backend: Arc::new(backend),
            tasks: RefCell::default(),
        })
    }

    /// Sends a request, which draws from a stream of its own.  Anyone who drops the receiver does not wait
    /// any longer; then the answer is undone.  A receiver whose sender is gone belongs to a dead process.
    pub fn send(self: &Rc<Self>, request: Request, seed: u64) -> oneshot::Receiver<HandlerResult> {
        let (sender, receiver) = oneshot::channel();
        let backend = Arc::clone(&self.backend);
        let work = async move {
            let answer = backend.handle(request).await;
            if let Err(Ok(Some(response))) = sender.send(answer)
                && let Some(undo) = response.undo
            {
                undo.await;
            }
        };
        let task = tokio::task::spawn_local(chance::scoped(seed, work));
        let mut tasks = self.tasks.borrow_mut();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
        receiver
    }

    /// Returns when nothing is in flight any more.
    pub async fn finish(&self) {
        while self.tasks.borrow().iter().any(|task| !task.is_finished()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The host lets the process end in an orderly manner.
    pub async fn clean_up(&self) {
        self.backend.cleanup().await;
    }

    /// Changes what the node may do.
    pub fn set_access(&self, access: Access) {
        self.access.store(access as u8, Ordering::Relaxed);
    }

    /// The process dies: whatever it was doing stops where it waits.
    pub fn die(&self) {
        self.set_access(Access::Dead);
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
    }
}

#[async_trait]
impl SystemView for NodeSystem {
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        self.fixed.default_lease_ttl().await
    }

    async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        self.fixed.max_lease_ttl().await
    }

    async fn tainted(&self) -> Result<bool, SystemError> {
        Ok(false)
    }

    async fn local_mount(&self) -> Result<bool, SystemError> {
        Ok(false)
    }

    async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        match Access::of(&self.access) {
            Access::Write => self.fixed.replication_state().await,
            // The performance standby's bit (docs/internals/protocol.md, "Replication state").
            _ => Ok(ReplicationState(16_384)),
        }
    }

    async fn host_info(&self) -> Result<HostInfo, SystemError> {
        self.fixed.host_info().await
    }
}
