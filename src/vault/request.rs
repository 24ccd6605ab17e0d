//! One request from the host.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Lease;
use super::Operation;

/// What the host asks, decoded.
///
/// It has no `Debug`: `data` and `lease` can hold secrets.
#[derive(Clone)]
pub struct Request {
    /// The host's request id; empty for renew, revoke, rollback.  A request that the host repeats
    /// after a crash keeps its id.
    pub id: String,
    /// What to do.
    pub operation: Operation,
    /// The path below the mount, without a leading slash; a list ends in a slash.
    pub path: String,
    /// The body or query parameters; on renew and revoke the response data that was once returned.
    pub data: Map<String, Value>,
    /// The lease to renew or revoke.
    pub lease: Option<LeaseInfo>,
    /// The caller's display name, for instance `token-ci`.
    pub display_name: String,
    /// The caller's identity entity, possibly empty.
    pub entity_id: String,
    /// Namespace and mount path with trailing slash, for instance `example/`.
    pub mount_point: String,
    /// The plugin name that the operator chose at `secrets enable`.
    pub mount_type: String,
    /// The accessor of the caller's token.
    pub client_token_accessor: String,
    /// The caller's IP address, possibly empty.
    pub remote_addr: String,
}

/// A lease as the host hands it back on renew and revoke.
#[derive(Clone)]
pub struct LeaseInfo {
    /// What the engine stored with the lease, including `secret_type`.
    pub internal_data: Map<String, Value>,
    /// The TTL the engine answered last.
    pub ttl: Duration,
    /// The maximum TTL the engine answered last; zero when none.
    pub max_ttl: Duration,
    /// How much longer the caller asks for; zero when unstated.
    pub increment: Duration,
    /// When the lease began; `None` where the host does not say.
    pub issue_time: Option<OffsetDateTime>,
    /// The lease id, often empty.
    pub lease_id: String,
}

impl Request {
    /// A request with an id of its own and without a caller, for tests and tools: a host's requests come
    /// from the codec.
    pub fn new(operation: Operation, path: impl Into<String>, data: Map<String, Value>) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            operation,
            path: path.into(),
            data,
            lease: None,
            display_name: String::new(),
            entity_id: String::new(),
            mount_point: String::new(),
            mount_type: String::new(),
            client_token_accessor: String::new(),
            remote_addr: String::new(),
        }
    }
}

impl From<&Lease> for LeaseInfo {
    /// The lease as a host that keeps it unchanged hands it back, without an id or an issue time.
    fn from(lease: &Lease) -> Self {
        Self {
            internal_data: lease.internal_data.clone(),
            ttl: lease.ttl,
            max_ttl: lease.max_ttl,
            increment: Duration::ZERO,
            issue_time: None,
            lease_id: String::new(),
        }
    }
}
