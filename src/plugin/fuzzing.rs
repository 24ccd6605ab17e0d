//! What `tests/fuzz` calls to reach what a host says before and beside its requests.  Only in builds
//! with the feature `fuzzing`.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::Environment;
use super::StartError;
use super::broker::Broker;
use super::certificate::Identity;
use super::certificate::parse_host_certificate;
use super::dial::Dialer;
use super::handshake;
use super::knock::Knocks;
use super::lifecycle::HostPresence;
use super::lifecycle::Lifecycle;
use super::tls;
use crate::proto::plugin::ConnInfo;

/// Longer than a refused knock waits before it is repeated.
const MESSAGE_PAUSE: Duration = Duration::from_millis(30);

/// A plugin process that has not started yet.
pub struct Starting(Identity);

impl Starting {
    /// Makes its certificate.
    pub fn new() -> Result<Self, StartError> {
        Identity::generate(OffsetDateTime::now_utc())
            .map(Self)
            .map_err(|error| StartError::Tls(error.to_string()))
    }

    /// Goes as far as `environment` decides: versions, and the host's certificate.
    pub fn start(&self, environment: &Environment) -> Result<(), StartError> {
        handshake::negotiate(environment)?;
        let host = environment
            .client_certificate()
            .ok_or(StartError::NoClientCertificate)?;
        let host = parse_host_certificate(&host)?;
        tls::server_config(&self.0, &host)
            .map(drop)
            .map_err(|error| StartError::Tls(error.to_string()))
    }

    /// Takes announcements of a host, and claims that with `id`: the address that would be dialled.
    pub async fn broker(&self, announcements: Vec<ConnInfo>, id: u32) -> Result<(), String> {
        let broker = Broker::new(
            watch::Sender::new(HostPresence::default()),
            Lifecycle::new(),
        );
        for announcement in announcements {
            broker.receive(announcement);
        }
        let claimed = broker.claim(id, Duration::from_secs(5)).await;
        let announcement = claimed.ok_or("it was not announced")?;
        let host = self.0.certificate.clone();
        let tls = tls::client_config(&self.0, &host).map_err(|error| error.to_string())?;
        Dialer::new(announcement, Arc::new(tls)).map(drop)
    }

    /// Knocks for the listener `id` while a host sends `messages`, one each [`MESSAGE_PAUSE`], and takes the
    /// listener's place if it opens: whether it opened, and whether the process would end.
    pub async fn knock(&self, messages: Vec<ConnInfo>, id: u32) -> (bool, bool) {
        let lifecycle = Lifecycle::new();
        let broker = Broker::new(
            watch::Sender::new(HostPresence::default()),
            lifecycle.clone(),
        );
        let knocks: Knocks = broker.knocks().clone();
        // No one reads it, but without it there is no broker stream.
        let _sent = knocks.outgoing();
        let knocking = tokio::spawn(async move {
            let turn = knocks.turn().await;
            turn.knock(id)
                .await
                .map(|listener| listener.taken())
                .is_ok()
        });
        for message in messages {
            tokio::time::sleep(MESSAGE_PAUSE).await;
            broker.receive(message);
        }
        (knocking.await.unwrap_or(false), lifecycle.is_stopping())
    }
}
