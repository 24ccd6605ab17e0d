//! A host that always gives the same answers.

use std::time::Duration;

use async_trait::async_trait;

use super::super::Event;
use super::super::Events;
use super::super::HostInfo;
use super::super::ReplicationState;
use super::super::SystemError;
use super::super::SystemView;

/// A system view with fixed answers, for tests and tools.
#[derive(Clone, Debug)]
pub struct FixedSystem {
    /// The default lease TTL.
    pub default_lease_ttl: Duration,
    /// The maximum lease TTL.
    pub max_lease_ttl: Duration,
    /// Whether the mount is being removed.
    pub tainted: bool,
    /// Whether the mount is local.
    pub local_mount: bool,
    /// The node's replication state.
    pub replication_state: ReplicationState,
    /// The host's version.
    pub version: String,
    /// Whether the host refuses to say its version.
    pub hides_version: bool,
}

/// An event service that drops everything, for tests and tools.
pub struct NoEvents;

impl Default for FixedSystem {
    /// An active Vault Community node with its default lease times of 768 hours.
    fn default() -> Self {
        Self {
            default_lease_ttl: Duration::from_secs(768 * 3600),
            max_lease_ttl: Duration::from_secs(768 * 3600),
            tainted: false,
            local_mount: false,
            replication_state: ReplicationState(4096 + 8192),
            version: "1.21.0".to_owned(),
            hides_version: false,
        }
    }
}

#[async_trait]
impl SystemView for FixedSystem {
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(self.default_lease_ttl)
    }

    async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        Ok(self.max_lease_ttl)
    }

    async fn tainted(&self) -> Result<bool, SystemError> {
        Ok(self.tainted)
    }

    async fn local_mount(&self) -> Result<bool, SystemError> {
        Ok(self.local_mount)
    }

    async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        Ok(self.replication_state)
    }

    async fn host_info(&self) -> Result<HostInfo, SystemError> {
        if self.hides_version {
            return Err(SystemError {
                call: "PluginEnv",
                cause: "unavailable".to_owned(),
            });
        }
        Ok(HostInfo {
            version: self.version.clone(),
            ..HostInfo::default()
        })
    }
}

#[async_trait]
impl Events for NoEvents {
    async fn send(&self, _event: Event) {}
}
