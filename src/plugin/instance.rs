//! The mounts that this process serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::RwLock;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::tasks::Tasks;
use crate::vault::Backend;
use crate::vault::codec::HostConnection;

/// The metadata key under which the host names the mount's connection.
pub(super) const MULTIPLEX_ID: &str = "multiplex_id";

/// How long storage calls may take to notice that they have been cut off.
const CUT_LIMIT: Duration = Duration::from_secs(1);

/// The name of the instance of a host that names none.
const SINGLE: &str = "single";

/// One mounted backend and what belongs to it.
///
/// A host sets up instances that it never uses nor cleans up, to ask for their version at
/// registration; until it is used, an instance has no connection and no task.
pub(super) struct Instance {
    /// The backend.
    pub backend: Arc<dyn Backend>,
    /// Its running work.
    pub tasks: Tasks,
    connection: Arc<HostConnection>,
}

/// The instances by the host's name for them.
#[derive(Default)]
pub(super) struct Registry {
    instances: RwLock<HashMap<String, Arc<Instance>>>,
    /// Where only one mount may be set up: its name, once it is known.
    only: Option<OnceLock<String>>,
}

impl Instance {
    /// An instance with nothing running.
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        connection: Arc<HostConnection>,
        tasks: Tasks,
    ) -> Self {
        Self {
            backend,
            tasks,
            connection,
        }
    }

    /// Ends the instance: its backend cleans up, running work gets `grace` to finish, then its
    /// connection to the host is cut, which ends all calls on it.
    pub(super) async fn close(&self, grace: Duration) {
        let backend = Arc::clone(&self.backend);
        let cleanup = self.tasks.spawn(async move { backend.cleanup().await });
        // A panic in there has been logged, and a slow one is cut off.
        let finished = async {
            let _ = cleanup.await;
            self.tasks.idle().await;
        };
        if tokio::time::timeout(grace, finished).await.is_err() {
            tracing::warn!(
                "the mount's work did not finish in time; it goes on without the host's storage"
            );
        }
        // Calls end as soon as their tasks run again; one that is never polled must not keep the host waiting.
        let _ = tokio::time::timeout(CUT_LIMIT, self.connection.close()).await;
    }
}

impl Registry {
    /// Instances of any number of mounts.
    pub(super) fn many() -> Self {
        Self::default()
    }

    /// Instances of the mount that is set up first, and of no other.
    pub(super) fn one() -> Self {
        Self {
            only: Some(OnceLock::new()),
            ..Self::default()
        }
    }

    /// Whether an instance of this name may be set up.
    ///
    /// # Errors
    ///
    /// The process belongs to another mount.
    pub(super) fn admit(&self, id: &str) -> Result<(), String> {
        match &self.only {
            Some(only) if only.get_or_init(|| id.to_owned()) != id => Err(
                "this process serves one mount only, as its host was told, and is already that of \
                 another: the host must start a process for each mount"
                    .to_owned(),
            ),
            Some(_) | None => Ok(()),
        }
    }

    /// The instance's name in a call's metadata.
    ///
    /// # Errors
    ///
    /// There are several names, or one that is no name.
    pub(super) fn id(metadata: &MetadataMap) -> Result<String, Status> {
        let mut ids = metadata.get_all(MULTIPLEX_ID).iter();
        match (ids.next().map(|id| id.to_str()), ids.next()) {
            (None, _) => Ok(SINGLE.to_owned()),
            (Some(Ok(id)), None) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(Status::invalid_argument(format!(
                "the metadata {MULTIPLEX_ID} must have one value"
            ))),
        }
    }

    /// The instance that a call's metadata names, or the one for hosts that name none.
    ///
    /// # Errors
    ///
    /// No such instance.
    pub(super) fn find(&self, metadata: &MetadataMap) -> Result<Arc<Instance>, Status> {
        let id = Self::id(metadata)?;
        let instances = self.instances.read();
        match instances.get(&id).or_else(|| instances.get(SINGLE)) {
            Some(instance) => Ok(Arc::clone(instance)),
            None => Err(Status::unknown(
                "no backend instance found: the mount has not been set up, or is gone",
            )),
        }
    }

    /// Adds an instance; the one it replaces is given back.
    pub(super) fn insert(&self, id: String, instance: Instance) -> Option<Arc<Instance>> {
        self.instances.write().insert(id, Arc::new(instance))
    }

    /// Takes an instance out; no further call finds it.
    pub(super) fn remove(&self, id: &str) -> Option<Arc<Instance>> {
        self.instances.write().remove(id)
    }

    /// Takes all instances out.
    pub(super) fn drain(&self) -> Vec<Arc<Instance>> {
        let mut instances = self.instances.write();
        instances.drain().map(|(_, instance)| instance).collect()
    }
}
