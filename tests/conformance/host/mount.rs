//! One mount, and the requests that a host sends to it.

use serde_json::Value;
use tonic::Request;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::proto::pb::backend_client::BackendClient;

use super::Brokered;
use super::Lease;
use super::Reply;
use super::Services;

/// One mount of a plugin.
pub(crate) struct Mount {
    pub services: Services,
    pub brokered: Brokered,
    client: Client,
}

/// The engine's service under one multiplex id.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    id: Option<String>,
}

impl Mount {
    pub(crate) fn new(client: Client, brokered: Brokered, services: Services) -> Self {
        Self {
            services,
            brokered,
            client,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// GET.
    pub(crate) async fn read(&self, path: &str) -> Reply {
        self.client.send(request("read", path, Value::Null)).await
    }

    /// LIST.
    pub(crate) async fn list(&self, path: &str) -> Reply {
        self.client.send(request("list", path, Value::Null)).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.client.send(request("delete", path, Value::Null)).await
    }

    /// POST: the existence check first, then `create` or `update`.
    pub(crate) async fn write(&self, path: &str, data: Value) -> Reply {
        let check = self
            .client
            .exists(request("update", path, data.clone()))
            .await
            .unwrap();
        assert!(check.err.is_none(), "{:?}", check.err);
        let operation = if check.check_found && !check.exists {
            "create"
        } else {
            "update"
        };
        self.client.send(request(operation, path, data)).await
    }

    /// PATCH.
    pub(crate) async fn patch(&self, path: &str, data: Value) -> Reply {
        self.client.send(request("patch", path, data)).await
    }

    /// The host's tick.
    pub(crate) async fn rollback(&self) -> Reply {
        self.client
            .send(internal("rollback", "", Value::Null))
            .await
    }

    /// The end of `lease`, which came from `path`.
    pub(crate) async fn revoke(&self, path: &str, lease: &Lease) -> Reply {
        self.client
            .send(lease_request("revoke", path, lease.returned(now(), 0)))
            .await
    }
}

impl Client {
    pub(crate) fn new(channel: Channel, id: Option<&str>) -> Self {
        Self {
            channel,
            id: id.map(str::to_owned),
        }
    }

    /// The generated client, without limits to its messages.
    pub(crate) fn backend(&self) -> BackendClient<Channel> {
        BackendClient::new(self.channel.clone())
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    /// `message` with the metadata by which a host names the mount.
    pub(crate) fn message<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(id) = &self.id {
            request
                .metadata_mut()
                .insert("multiplex_id", id.parse().unwrap());
        }
        request
    }

    /// A request that must be answered.
    pub(crate) async fn send(&self, request: pb::Request) -> Reply {
        let told = format!("{} {:?}", request.operation, request.path);
        match self.try_send(request).await {
            Ok(reply) => reply,
            Err(status) => panic!("{told}: {status:?}"),
        }
    }

    pub(crate) async fn try_send(&self, request: pb::Request) -> Result<Reply, Status> {
        let arguments = pb::HandleRequestArgs {
            storage_id: 0,
            request: Some(request),
        };
        let reply = self
            .backend()
            .handle_request(self.message(arguments))
            .await?;
        Ok(Reply::new(reply.into_inner()))
    }

    pub(crate) async fn exists(
        &self,
        request: pb::Request,
    ) -> Result<pb::HandleExistenceCheckReply, Status> {
        let arguments = pb::HandleExistenceCheckArgs {
            storage_id: 0,
            request: Some(request),
        };
        let reply = self
            .backend()
            .handle_existence_check(self.message(arguments))
            .await?;
        Ok(reply.into_inner())
    }

    pub(crate) async fn backend_type(&self) -> Result<u32, Status> {
        let reply = self.backend().r#type(self.message(pb::Empty {})).await?;
        Ok(reply.into_inner().r#type)
    }

    pub(crate) async fn special_paths(&self) -> Result<pb::Paths, Status> {
        let reply = self
            .backend()
            .special_paths(self.message(pb::Empty {}))
            .await?;
        Ok(reply.into_inner().paths.unwrap_or_default())
    }

    pub(crate) async fn initialize(&self) -> Result<pb::InitializeReply, Status> {
        let reply = self
            .backend()
            .initialize(self.message(pb::InitializeArgs {}))
            .await?;
        Ok(reply.into_inner())
    }

    pub(crate) async fn invalidate(&self, key: &str) -> Result<(), Status> {
        let key = key.to_owned();
        let arguments = self.message(pb::InvalidateKeyArgs { key });
        self.backend().invalidate_key(arguments).await.map(drop)
    }

    pub(crate) async fn cleanup(&self) -> Result<(), Status> {
        self.backend()
            .cleanup(self.message(pb::Empty {}))
            .await
            .map(drop)
    }
}

/// A request of a user.
pub(crate) fn request(operation: &str, path: &str, data: Value) -> pb::Request {
    pb::Request {
        id: Uuid::new_v4().to_string(),
        client_token: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        client_token_accessor: "Zk3accessor".to_owned(),
        display_name: "token-ci".to_owned(),
        connection: Some(pb::Connection {
            remote_addr: "10.0.0.7".to_owned(),
            ..Default::default()
        }),
        ..internal(operation, path, data)
    }
}

/// A request of the host's own machinery: it has no id and no caller.
pub(crate) fn internal(operation: &str, path: &str, data: Value) -> pb::Request {
    pb::Request {
        operation: operation.to_owned(),
        path: path.to_owned(),
        data: data.to_string(),
        mount_point: "astra/".to_owned(),
        mount_type: "astra".to_owned(),
        ..Default::default()
    }
}

/// A renewal or revocation.
pub(crate) fn lease_request(operation: &str, path: &str, secret: pb::Secret) -> pb::Request {
    pb::Request {
        secret: Some(secret),
        ..internal(operation, path, Value::Null)
    }
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
