//! The host's event service, over the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use prost_types::Struct;
use prost_types::Value;
use prost_types::value::Kind;
use tokio::sync::OnceCell;
use tonic::Code;
use uuid::Uuid;

use super::HostConnection;
use super::HostSystem;
use crate::proto::logical;
use crate::proto::pb;
use crate::proto::pb::events_client::EventsClient;
use crate::vault::Event;
use crate::vault::Events;
use crate::vault::SystemError;
use crate::vault::SystemView;

/// Events are best effort: a request does not wait long for them.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The event service that the host serves, where it has one (Vault 1.13 and later).
pub struct HostEvents {
    connection: Arc<HostConnection>,
    absent: AtomicBool,
    /// Whether events can have subscribers, once the host has told its version.
    subscribable: OnceCell<bool>,
}

impl HostEvents {
    /// The event service behind `connection`.
    pub fn new(connection: Arc<HostConnection>) -> Self {
        Self {
            connection,
            absent: AtomicBool::new(false),
            subscribable: OnceCell::new(),
        }
    }

    /// Asks the host once what it is: each event without a possible subscriber would cost as much as a write
    /// to storage.
    async fn find_out(&self) -> bool {
        let ask = || async {
            let info = HostSystem::new(Arc::clone(&self.connection))
                .host_info()
                .await?;
            Ok::<_, SystemError>(info.events_subscribable())
        };
        // A host that does not tell may well have listeners.
        self.subscribable
            .get_or_try_init(ask)
            .await
            .copied()
            .unwrap_or(true)
    }
}

#[async_trait]
impl Events for HostEvents {
    fn has_subscribers(&self) -> bool {
        !self.absent.load(Ordering::Relaxed) && self.subscribable.get().copied().unwrap_or(true)
    }

    async fn send(&self, event: Event) {
        if !self.has_subscribers() || !self.find_out().await {
            return;
        }
        let request = encode_event(event);
        let call = |channel| {
            let request = request.clone();
            async move { EventsClient::new(channel).send_event(request).await }
        };
        match self.connection.call(TIME_LIMIT, call).await {
            Ok(pb::Empty {}) => {}
            Err(status) if status.code() == Code::Unimplemented => {
                self.absent.store(true, Ordering::Relaxed)
            }
            Err(status) => tracing::debug!(code = ?status.code(), "the host did not take an event"),
        }
    }
}

fn encode_event(event: Event) -> pb::SendEventRequest {
    let text = |text| Value {
        kind: Some(Kind::StringValue(text)),
    };
    let fields: BTreeMap<_, _> = event
        .metadata
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect();
    pb::SendEventRequest {
        event_type: event.kind,
        event: Some(logical::EventData {
            // A repeated call carries the same id, so that the host could tell.
            id: Uuid::new_v4().to_string(),
            metadata: Some(Struct { fields }),
            ..logical::EventData::default()
        }),
    }
}
