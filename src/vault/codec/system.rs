//! The host's system view, over the wire.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tonic::Status;
use tonic::transport::Channel;

use super::HostConnection;
use super::duration::decode_duration;
use crate::proto::pb;
use crate::proto::pb::system_view_client::SystemViewClient;
use crate::vault::HostInfo;
use crate::vault::ReplicationState;
use crate::vault::SystemError;
use crate::vault::SystemView;

/// How long one question may take; the host answers them from memory.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The system view that the host serves.
pub struct HostSystem {
    connection: Arc<HostConnection>,
}

impl HostSystem {
    /// The system view behind `connection`.
    pub fn new(connection: Arc<HostConnection>) -> Self {
        Self { connection }
    }

    async fn ask<T, F>(
        &self,
        name: &'static str,
        call: impl Fn(SystemViewClient<Channel>) -> F,
    ) -> Result<T, SystemError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        self.connection
            .call(TIME_LIMIT, |channel| call(SystemViewClient::new(channel)))
            .await
            .map_err(|status| SystemError {
                call: name,
                cause: format!("{:?}: {}", status.code(), status.message()),
            })
    }
}

#[async_trait]
impl SystemView for HostSystem {
    async fn default_lease_ttl(&self) -> Result<Duration, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.default_lease_ttl(pb::Empty {}).await
        };
        self.ask("DefaultLeaseTTL", ask)
            .await
            .map(|reply| decode_duration(reply.ttl))
    }

    async fn max_lease_ttl(&self) -> Result<Duration, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.max_lease_ttl(pb::Empty {}).await
        };
        self.ask("MaxLeaseTTL", ask)
            .await
            .map(|reply| decode_duration(reply.ttl))
    }

    async fn tainted(&self) -> Result<bool, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.tainted(pb::Empty {}).await
        };
        self.ask("Tainted", ask).await.map(|reply| reply.tainted)
    }

    async fn local_mount(&self) -> Result<bool, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.local_mount(pb::Empty {}).await
        };
        self.ask("LocalMount", ask).await.map(|reply| reply.local)
    }

    async fn replication_state(&self) -> Result<ReplicationState, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.replication_state(pb::Empty {}).await
        };
        self.ask("ReplicationState", ask)
            .await
            .map(|reply| ReplicationState(reply.state))
    }

    async fn host_info(&self) -> Result<HostInfo, SystemError> {
        let ask = |mut client: SystemViewClient<Channel>| async move {
            client.plugin_env(pb::Empty {}).await
        };
        let reply = self.ask("PluginEnv", ask).await?;
        if !reply.err.is_empty() {
            return Err(SystemError {
                call: "PluginEnv",
                cause: reply.err,
            });
        }
        let environment = reply.plugin_environment.unwrap_or_default();
        Ok(HostInfo {
            version: environment.vault_version,
            metadata: environment.vault_version_metadata,
        })
    }
}
