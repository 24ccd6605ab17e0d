//! A mount as the plugin process has it, without the connection to a host.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use serde_json::json;
use time::OffsetDateTime;
use vault_plugin_secrets_astra::astra;
use vault_plugin_secrets_astra::engine::AstraFactory;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::secret::Secret;
use vault_plugin_secrets_astra::vault::Backend;
use vault_plugin_secrets_astra::vault::codec::Context;
use vault_plugin_secrets_astra::vault::codec::decode_request;
use vault_plugin_secrets_astra::vault::codec::encode_outcome;
use vault_plugin_secrets_astra::vault::memory::TestMount;

use crate::upstream::Upstream;

/// A mounted engine with the role `reader`.
pub(crate) struct Mounted {
    backend: Arc<dyn Backend>,
    client: astra::Client,
}

impl Mounted {
    pub(crate) async fn new(upstream: &Upstream) -> Self {
        let config = astra::ClientConfig {
            base_url: astra::BaseUrl::parse(&upstream.url).unwrap(),
            ca_cert_pem: None,
            max_concurrent_requests: 1,
            org_id: None,
            request_timeout: Duration::from_secs(30),
            token: Secret::new(upstream.root_token.clone()),
            user_agent: "budget/1".to_owned(),
        };
        let mounted = Self {
            backend: TestMount::new(&AstraFactory::default()).unwrap().backend,
            client: astra::Client::new(config).unwrap(),
        };
        let config = json!({
            "token": upstream.root_token, "url": upstream.url, "max_concurrent_requests": 64,
        });
        mounted.write("config", config).await;
        let role = json!({ "astra_roles": "API RO User", "ttl": "1h", "max_ttl": "24h" });
        mounted.write("roles/reader", role).await;
        mounted
    }

    async fn write(&self, path: &str, data: serde_json::Value) {
        let request = message(pb::Request {
            operation: "create".to_owned(),
            path: path.to_owned(),
            data: data.to_string(),
            ..pb::Request::default()
        });
        succeeded(&self.handle(&request).await);
    }

    /// Reads `creds/reader`, as a client of Vault does.
    pub(crate) fn mint_request(number: usize) -> Vec<u8> {
        message(pb::Request {
            id: format!("3f6b0d36-6f6c-4c1e-9d0a-{number:012x}"),
            operation: "read".to_owned(),
            path: "creds/reader".to_owned(),
            data: "{}".to_owned(),
            client_token_accessor: "hmac-accessor".to_owned(),
            display_name: "token-ci".to_owned(),
            mount_point: "astra/".to_owned(),
            mount_type: "astra".to_owned(),
            entity_id: "d3b5c7a1-0000-4000-8000-000000000000".to_owned(),
            connection: Some(pb::Connection {
                remote_addr: "127.0.0.1".to_owned(),
                ..pb::Connection::default()
            }),
            ..pb::Request::default()
        })
    }

    /// Renews or revokes a lease, as the host does.
    pub(crate) fn lease_request(operation: &str, lease: &pb::Secret) -> Vec<u8> {
        message(pb::Request {
            operation: operation.to_owned(),
            path: "creds/reader".to_owned(),
            data: "{}".to_owned(),
            secret: Some(lease.clone()),
            mount_point: "astra/".to_owned(),
            mount_type: "astra".to_owned(),
            ..pb::Request::default()
        })
    }

    /// Handles a request, from bytes to bytes.
    pub(crate) async fn handle(&self, request: &[u8]) -> Vec<u8> {
        let message = pb::HandleRequestArgs::decode(request).unwrap();
        let request = decode_request(message.request).unwrap();
        let context = Context::from_request(&request, OffsetDateTime::now_utc());
        let backend = Arc::clone(&self.backend);
        // Work runs in a task of its own, as in the process.
        let work = async move { encode_outcome(&backend.handle(request).await, &context) };
        tokio::spawn(work).await.unwrap().encode_to_vec()
    }

    /// Asks Astra for its list of tokens and keeps nothing of it.
    pub(crate) async fn count_tokens(&self) -> usize {
        let deadline = astra::Deadline::after(Duration::from_secs(30));
        let of_others = |token: &astra::TokenEntry| {
            let description = token.description.as_deref()?;
            description
                .starts_with("a token of somebody else")
                .then_some(())
        };
        self.client.tokens(of_others, deadline).await.unwrap().len()
    }
}

/// The lease of a minted credential.
pub(crate) fn lease_of(reply: &[u8]) -> pb::Secret {
    let reply = pb::HandleRequestReply::decode(reply).unwrap();
    reply.response.unwrap().secret.unwrap()
}

/// Makes sure that a reply is no error.
pub(crate) fn succeeded(reply: &[u8]) {
    let reply = pb::HandleRequestReply::decode(reply).unwrap();
    assert!(reply.err.is_none(), "{:?}", reply.err);
    let data = reply.response.map(|response| response.data);
    assert!(!data.unwrap_or_default().contains("\"error\""));
}

fn message(request: pb::Request) -> Vec<u8> {
    pb::HandleRequestArgs {
        storage_id: 0,
        request: Some(request),
    }
    .encode_to_vec()
}
