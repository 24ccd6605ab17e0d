//! Which part this node plays in its cluster.

/// The host's replication bits (docs/protocol.md, "Replication state").
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
