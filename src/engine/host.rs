//! What the engine asks the host before it acts.

use std::sync::Arc;
use std::time::Duration;

use crate::vault::Error;
use crate::vault::System;

/// The mount's limits at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The mount's default lease TTL.
    pub default_ttl: Duration,
    /// The mount's maximum lease TTL.
    pub max_ttl: Duration,
}

/// The host's system view, asked anew by each operation: tuning and leadership change at any time.
#[derive(Clone)]
pub struct Host {
    system: Arc<dyn System>,
}

impl Host {
    /// The host behind `system`.
    pub fn new(system: Arc<dyn System>) -> Self {
        Self { system }
    }

    /// Refuses with the host's read-only text where this node may not write, so that the host
    /// forwards the request.  Comes before every side effect outside of the host.
    pub async fn require_writer(&self) -> Result<(), Error> {
        let state = self.system.replication_state();
        let local = self.system.local_mount();
        let (state, local) = futures_util::future::try_join(state, local).await?;
        if state.may_write(local) {
            Ok(())
        } else {
            Err(Error::ReadOnly)
        }
    }

    /// The mount's limits, once this node is known to be a writer.
    pub async fn writer_limits(&self) -> Result<Limits, Error> {
        let default_ttl = async { Ok(self.system.default_lease_ttl().await?) };
        let max_ttl = async { Ok(self.system.max_lease_ttl().await?) };
        let (default_ttl, max_ttl, ()) =
            futures_util::future::try_join3(default_ttl, max_ttl, self.require_writer()).await?;
        Ok(Limits {
            default_ttl,
            max_ttl,
        })
    }
}
