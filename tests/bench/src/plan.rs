//! How much to measure.

/// The numbers of clients that every subject is measured with.
pub(crate) const CLIENTS: [usize; 3] = [1, 16, 64];

/// Sizes of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How often everything is repeated; figures are medians.
    pub(crate) rounds: usize,
    /// How often builds are compared (`--against`).
    pub(crate) pairs: usize,
    /// Whether to compare the engines.
    pub(crate) table: bool,
    /// Mints per number of clients and round.
    pub(crate) mints: usize,
    /// Leases that are revoked at once at the end of a round.
    pub(crate) revocations: usize,
    /// Whether to measure the figures that need many tokens or a cluster.
    pub(crate) deep: bool,
    /// Whether to measure an organization that grows, and what each lease costs.
    pub(crate) scale: bool,
}

impl Plan {
    pub(crate) const FULL: Self = Self {
        rounds: 3,
        pairs: 15,
        table: true,
        mints: 2_000,
        revocations: 5_000,
        deep: true,
        scale: true,
    };
    pub(crate) const DEEP: Self = Self {
        table: false,
        ..Self::FULL
    };
    pub(crate) const SCALE: Self = Self {
        deep: false,
        ..Self::DEEP
    };
    pub(crate) const QUICK: Self = Self {
        mints: 500,
        pairs: 9,
        revocations: 1_000,
        deep: false,
        scale: false,
        ..Self::FULL
    };
}
