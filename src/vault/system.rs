//! What the host tells about itself and the mount.

use std::time::Duration;

use async_trait::async_trait;

use super::ReplicationState;

/// The host's system view.
#[async_trait]
pub trait System: Send + Sync {
    /// The mount's default lease TTL, tuning included; it may change at any time.
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError>;
    /// The mount's maximum lease TTL, tuning included; it may change at any time.
    async fn max_lease_ttl(&self) -> Result<Duration, SystemError>;
    /// Whether the mount is being removed.
    async fn tainted(&self) -> Result<bool, SystemError>;
    /// Whether the mount exists on this cluster only.
    async fn local_mount(&self) -> Result<bool, SystemError>;
    /// The node's replication state.
    async fn replication_state(&self) -> Result<ReplicationState, SystemError>;
    /// The host's version.
    async fn host_info(&self) -> Result<HostInfo, SystemError>;
}

/// The host's own description.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostInfo {
    /// For instance `1.21.0`; OpenBao reports its own version here.
    pub version: String,
}

/// The host did not answer a question about itself.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host did not answer {call}: {cause}")]
pub struct SystemError {
    /// The call.
    pub call: &'static str,
    /// What came instead.
    pub cause: String,
}
