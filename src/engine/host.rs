//! What the engine asks the host before it acts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join4;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::Error;
use crate::vault::StorageError;
use crate::vault::SystemView;

/// The mount's limits at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// The mount's default lease TTL.
    pub default_ttl: Duration,
    /// The mount's maximum lease TTL.
    pub max_ttl: Duration,
}

/// How old an answer may be for what a busy mount does all the time.  Tuning and leadership change at
/// any moment, so it is short; but it saves four calls a credential, and the host caps every lease
/// by itself.
const MAX_AGE: Duration = Duration::from_millis(200);

/// The host's system view.
pub(crate) struct Host {
    system: Arc<dyn SystemView>,
    view: Mutex<Option<View>>,
}

#[derive(Clone, Copy)]
struct View {
    limits: Limits,
    may_write: bool,
    asked: Instant,
}

impl Host {
    /// The host behind `system`.
    pub(crate) fn new(system: Arc<dyn SystemView>) -> Self {
        Self {
            system,
            view: Mutex::new(None),
        }
    }

    /// Refuses with the host's read-only text where this node may not write, so that the host
    /// forwards the request.  Comes before every side effect outside of the host.
    pub(crate) async fn require_writer(&self) -> Result<(), Error> {
        self.writer_limits().await.map(drop)
    }

    /// The mount's limits, once this node is known to be a writer.
    pub(crate) async fn writer_limits(&self) -> Result<Limits, Error> {
        self.view(Duration::ZERO).await?.writer_limits()
    }

    /// Like [`Host::writer_limits`], for what a busy mount does many times a second: the answer may
    /// be up to a fifth of a second old.
    pub(crate) async fn recent_writer_limits(&self) -> Result<Limits, Error> {
        self.view(MAX_AGE).await?.writer_limits()
    }

    /// Whether this node may write, as of a fifth of a second ago; not if the host does not say.
    pub(crate) async fn may_write_recently(&self) -> bool {
        self.view(MAX_AGE).await.is_ok_and(|view| view.may_write)
    }

    async fn view(&self, max_age: Duration) -> Result<View, Error> {
        let mut slot = self.view.lock().await;
        if let Some(view) = slot.filter(|view| view.asked.elapsed() < max_age) {
            return Ok(view);
        }
        let asked = Instant::now();
        let (default_ttl, max_ttl, state, local) = try_join4(
            self.system.default_lease_ttl(),
            self.system.max_lease_ttl(),
            self.system.replication_state(),
            self.system.local_mount(),
        )
        .await?;
        let view = View {
            limits: Limits {
                default_ttl,
                max_ttl,
            },
            may_write: state.may_write(local),
            asked,
        };
        *slot = Some(view);
        Ok(view)
    }
}

impl View {
    fn writer_limits(self) -> Result<Limits, Error> {
        if self.may_write {
            Ok(self.limits)
        } else {
            Err(StorageError::ReadOnly.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI32;
    use std::sync::atomic::Ordering;

    use async_trait::async_trait;

    use super::*;
    use crate::engine::error::Fault;
    use crate::vault::HostInfo;
    use crate::vault::ReplicationState;
    use crate::vault::SystemError;

    #[derive(Default)]
    struct Node(AtomicI32);

    #[async_trait]
    impl SystemView for Node {
        async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
            Ok(Duration::from_secs(1))
        }
        async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
            Ok(Duration::from_secs(2))
        }
        async fn tainted(&self) -> Result<bool, SystemError> {
            Ok(false)
        }
        async fn local_mount(&self) -> Result<bool, SystemError> {
            Ok(false)
        }
        async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
            Ok(ReplicationState(self.0.load(Ordering::SeqCst)))
        }
        async fn host_info(&self) -> Result<HostInfo, SystemError> {
            Ok(HostInfo::default())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_at_once_or_once_the_answer_is_stale() {
        let node = Arc::new(Node::default());
        let host = Host::new(Arc::clone(&node) as Arc<dyn SystemView>);
        let limits = host.writer_limits().await;
        assert_eq!(
            limits.ok().map(|limits| limits.max_ttl),
            Some(Duration::from_secs(2))
        );
        node.0.store(16_384, Ordering::SeqCst);
        assert!(host.recent_writer_limits().await.is_ok());
        let refused = host.writer_limits().await.map_err(|error| error.fault());
        assert_eq!(refused, Err(Fault::ReadOnly));
        node.0.store(0, Ordering::SeqCst);
        tokio::time::advance(MAX_AGE).await;
        assert!(host.recent_writer_limits().await.is_ok());
    }
}
