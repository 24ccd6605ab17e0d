//! Events for the host's event service.

use async_trait::async_trait;

/// Something that happened; never with a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// For instance `example/creds-create`.
    pub kind: String,
    /// Text pairs; customary keys are `path`, `operation` and `modified`.
    pub metadata: Vec<(String, String)>,
}

/// The host's event service, where it has one.
#[async_trait]
pub trait Events: Send + Sync {
    /// Whether an event could have a subscriber, as far as is known.
    fn has_subscribers(&self) -> bool {
        true
    }

    /// Sends an event; a host without the service ignores it, and every failure is ignored.
    async fn send(&self, event: Event);
}
