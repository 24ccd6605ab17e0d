//! A secrets engine as the plugin process sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::Error;
use super::Events;
use super::HandlerResult;
use super::Request;
use super::Storage;
use super::SystemView;

/// Makes one [`Backend`] per mount; one process serves several mounts.
pub trait Factory: Send + Sync + 'static {
    /// `v` and the semantic version, exactly as it is registered.
    fn version(&self) -> String;
    /// A backend for `mount`.  It must not call the host: at this point storage may be absent.
    /// An error means that the engine itself is put together wrong.
    fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error>;
}

/// What one mount gets from the host.
#[derive(Clone)]
pub struct Mount {
    /// Stable for the life of the mount.
    pub uuid: String,
    /// Mount options and the host's own `plugin_…` entries.
    pub options: BTreeMap<String, String>,
    /// The mount's storage.
    pub storage: Arc<dyn Storage>,
    /// The host's system view.
    pub system: Arc<dyn SystemView>,
    /// The host's event service.
    pub events: Arc<dyn Events>,
}

/// Paths that the host treats specially (docs/internals/protocol.md, "Special paths").
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SpecialPaths {
    /// API paths that need `sudo`.
    pub root: Vec<String>,
    /// API paths reachable without a token.
    pub unauthenticated: Vec<String>,
    /// Storage prefixes that stay on this cluster.
    pub local_storage: Vec<String>,
    /// Storage keys, or prefixes ending in a slash, that are seal-wrapped.
    pub seal_wrap_storage: Vec<String>,
}

/// One mounted secrets engine.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The special paths; constant.
    fn special_paths(&self) -> SpecialPaths;
    /// Called once after set-up, when storage works.  Requests may arrive before it.
    async fn initialize(&self) -> Result<(), Error>;
    /// Handles one request to its end; runs in a task of its own, not in the RPC's future.
    async fn handle(&self, request: Request) -> HandlerResult;
    /// Whether the object at the request's path exists; `None` where no path asks.
    async fn exists(&self, request: Request) -> Result<Option<bool>, Error>;
    /// Another node changed the storage entry at `key`.
    async fn invalidate(&self, key: &str);
    /// The mount goes away: stop what runs.
    async fn cleanup(&self);
}
