//! What the host tells about itself and the mount.

use std::time::Duration;

use async_trait::async_trait;

/// The host's system view.
#[async_trait]
pub trait SystemView: Send + Sync {
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

/// The host's replication bits (docs/internals/protocol.md, "Replication state").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplicationState(pub i32);

impl ReplicationState {
    const PERFORMANCE_SECONDARY: i32 = 64;
    const DR_SECONDARY: i32 = 512;
    const PERFORMANCE_STANDBY: i32 = 16_384;

    /// Whether a mount on this node may write; `local` is whether the mount is local to the cluster.
    pub fn may_write(self, local: bool) -> bool {
        let has = |bit| self.0 & bit != 0;
        (local || !has(Self::PERFORMANCE_SECONDARY))
            && !has(Self::DR_SECONDARY)
            && !has(Self::PERFORMANCE_STANDBY)
    }
}

/// The host's own description.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostInfo {
    /// For instance `1.21.0`; OpenBao reports its own version here.
    pub version: String,
    /// What an edition adds to the version, for instance `ent`; empty for the Community edition.
    pub metadata: String,
}

impl HostInfo {
    /// Whether events can have subscribers: since Vault 1.16 only Enterprise editions have
    /// subscriptions, although the others still accept events (docs/internals/protocol.md,
    /// "Events").  No call of the protocol tells it, so this alone is concluded from the version.
    pub fn events_subscribable(&self) -> bool {
        let mut numbers = self.version.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(1)), Some(Ok(minor))) if minor >= 16 => self.metadata.contains("ent"),
            _ => true,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::HostInfo;

    #[test]
    fn events_are_subscribable_by_version_and_edition() {
        for (version, metadata, heard) in [
            ("1.21.0", "", false),
            ("1.16.0", "", false),
            ("1.15.6", "", true),
            ("1.21.0", "ent", true),
            ("1.21.0", "ent.hsm.fips1403", true),
            ("2.6.2", "", true),
            ("", "", true),
        ] {
            let info = HostInfo {
                version: version.to_owned(),
                metadata: metadata.to_owned(),
            };
            assert_eq!(info.events_subscribable(), heard, "{info:?}");
        }
    }
}
