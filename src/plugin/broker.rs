//! The broker: where the host announces the sockets on which it wants to be dialled back, or answers
//! knocks where there are none.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;

use super::knock::Knocks;
use super::lifecycle::HostPresence;
use super::lifecycle::Lifecycle;
use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::grpc_broker_server::GrpcBroker;

/// How many announcements wait for their call at most.  The call follows at once, so a host that works
/// leaves one for each mount that it is just setting up.
const MOST_UNCLAIMED: usize = 1_024;

/// The announcements so far.  They may come before or after the call that needs them.
#[derive(Clone)]
pub(super) struct Broker {
    announced: Arc<Mutex<BTreeMap<u32, ConnInfo>>>,
    news: Arc<Notify>,
    knocks: Knocks,
    contact: watch::Sender<HostPresence>,
    lifecycle: Lifecycle,
}

impl Broker {
    /// A broker without announcements.
    pub(super) fn new(contact: watch::Sender<HostPresence>, lifecycle: Lifecycle) -> Self {
        Self {
            announced: Arc::default(),
            news: Arc::default(),
            knocks: Knocks::new(lifecycle.clone()),
            contact,
            lifecycle,
        }
    }

    /// The knocks that go over it.
    pub(super) fn knocks(&self) -> &Knocks {
        &self.knocks
    }

    /// Takes the announcement with `id`, waiting for it at most `limit`.
    pub(super) async fn claim(&self, id: u32, limit: Duration) -> Option<ConnInfo> {
        let claim = async {
            loop {
                let mut news = std::pin::pin!(self.news.notified());
                // Listen first, look then: an announcement in between is not missed.
                news.as_mut().enable();
                if let Some(announcement) = self.announced.lock().remove(&id) {
                    return announcement;
                }
                news.await;
            }
        };
        tokio::time::timeout(limit, claim).await.ok()
    }

    /// Takes one message of the host.
    pub(super) fn receive(&self, message: ConnInfo) {
        match message.knock {
            Some(knock) => self.knocks.answered(message.service_id, knock),
            None => self.announce(message),
        }
    }

    fn announce(&self, announcement: ConnInfo) {
        {
            let mut announced = self.announced.lock();
            announced.insert(announcement.service_id, announcement);
            if announced.len() > MOST_UNCLAIMED {
                // The host counts up: the lowest is the oldest.
                announced.pop_first();
            }
        }
        self.news.notify_waiters();
    }

    async fn listen(self, mut announcements: Streaming<ConnInfo>) {
        let _open = OpenStream::new(self.clone());
        loop {
            let message = tokio::select! {
                _ = self.lifecycle.stopped() => return,
                message = announcements.message() => message,
            };
            match message {
                Ok(Some(message)) => self.receive(message),
                Ok(None) => return tracing::debug!("the host ended the broker stream"),
                Err(status) => {
                    return tracing::debug!(code = ?status.code(), "the broker stream broke");
                }
            }
        }
    }
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = Pin<Box<dyn Stream<Item = Result<ConnInfo, Status>> + Send>>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        tokio::spawn(self.clone().listen(request.into_inner()));
        let knocks = UnboundedReceiverStream::new(self.knocks.outgoing()).map(Ok);
        let lifecycle = self.lifecycle.clone();
        let knocks = knocks.take_until(async move { lifecycle.stopped().await });
        // The host takes the end of this half for the end of all.
        let knocks = knocks.chain(self.lifecycle.idle_stream(None));
        Ok(Response::new(Box::pin(knocks)))
    }
}

/// Counts a broker stream as open for as long as it exists.
struct OpenStream(Broker);

impl OpenStream {
    fn new(broker: Broker) -> Self {
        broker.contact.send_modify(|contact| {
            contact.brokered = true;
            contact.streams += 1;
        });
        Self(broker)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut last = false;
        self.0.contact.send_modify(|contact| {
            contact.streams -= 1;
            last = contact.streams == 0;
        });
        if last {
            // The host no longer listens on those sockets.
            self.0.announced.lock().clear();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn broker() -> Broker {
        Broker::new(
            watch::Sender::new(HostPresence::default()),
            Lifecycle::new(),
        )
    }

    #[tokio::test]
    async fn unclaimed_announcements_are_dropped_oldest_first() {
        let broker = broker();
        for id in 1..=2_000 {
            broker.announce(announcement(id));
        }
        assert_eq!(broker.announced.lock().len(), MOST_UNCLAIMED);
        let oldest = 2_000 - u32::try_from(MOST_UNCLAIMED).unwrap() + 1;
        assert!(broker.claim(oldest, Duration::ZERO).await.is_some());
        assert!(broker.claim(oldest - 1, Duration::ZERO).await.is_none());
    }

    fn announcement(service_id: u32) -> ConnInfo {
        ConnInfo {
            service_id,
            network: "unix".to_owned(),
            address: format!("/tmp/{service_id}"),
            knock: None,
        }
    }

    #[tokio::test]
    async fn announcements_before_and_after_the_claim_are_found_once() {
        let broker = broker();
        broker.announce(announcement(2));
        assert_eq!(
            broker
                .claim(2, Duration::from_secs(5))
                .await
                .unwrap()
                .address,
            "/tmp/2"
        );
        assert!(
            broker.claim(2, Duration::from_millis(1)).await.is_none(),
            "it has been taken"
        );

        let waiting = tokio::spawn({
            let broker = broker.clone();
            async move { broker.claim(7, Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        broker.announce(announcement(6));
        broker.announce(announcement(7));
        assert_eq!(waiting.await.unwrap().unwrap().address, "/tmp/7");
        assert!(
            broker.claim(6, Duration::ZERO).await.is_some(),
            "it was kept"
        );
    }

    #[tokio::test]
    async fn the_end_of_the_last_stream_forgets_what_was_not_claimed() {
        let broker = broker();
        let (one, other) = (
            OpenStream::new(broker.clone()),
            OpenStream::new(broker.clone()),
        );
        broker.announce(announcement(1));
        drop(one);
        assert!(broker.announced.lock().contains_key(&1));
        drop(other);
        assert!(broker.announced.lock().is_empty());
        assert_eq!(
            *broker.contact.borrow(),
            HostPresence {
                connected: false,
                brokered: true,
                streams: 0
            }
        );
    }
}
