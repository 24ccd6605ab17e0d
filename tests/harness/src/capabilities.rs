//! What a server can do: the one place where tests learn it. All of it is asked of the program or of the
//! running server, nothing is concluded from a name or a version.

use reqwest::Method;
use serde_json::json;

use crate::Api;
use crate::Docker;
use crate::Host;
use crate::SOON;
use crate::Server;
use crate::TestMount;
use crate::wait_until;

impl Host {
    /// Whether the command line can patch (`vault patch`).
    pub fn has_patch_command(&self) -> bool {
        self.has_command(&["patch"])
    }

    /// Whether a plugin can be installed from an image by a `plugin` stanza of the configuration; the
    /// command that does the same by hand came with it.
    pub fn has_plugin_stanza(&self) -> bool {
        self.has_command(&["plugin", "init"])
    }
}

impl Server {
    /// Whether it has namespaces.
    pub async fn has_namespaces(&self) -> bool {
        !self.api().list("sys/namespaces").await.is_unsupported()
    }

    /// Whether it runs plugins in containers.
    pub async fn has_container_plugins(&self) -> bool {
        let path = format!("sys/plugins/runtimes/catalog/container/{}", Docker::RUNTIME);
        !self.api().read(&path).await.is_unsupported()
    }

    /// Whether its audit device is there already, from the `audit` stanza of the configuration.
    pub(crate) async fn has_audit_device(&self) -> bool {
        let devices = self.api().read("sys/audit").await.data();
        devices["file/"].is_object()
    }
}

impl TestMount {
    /// Whether the server's OpenAPI document lists PATCH, which older servers leave out. Asked of a KV
    /// store, which can be patched on every server.
    pub async fn openapi_lists_patch(&self) -> bool {
        let name = format!("kv-{}", self.name);
        let kv = json!({ "type": "kv", "options": { "version": "2" } });
        self.api.write(&format!("sys/mounts/{name}"), kv).await.ok();
        let document = self.openapi().await;
        self.api.delete(&format!("sys/mounts/{name}")).await.ok();
        let item = &document["paths"][format!("/{name}/data/{{path}}")];
        assert!(item["post"].is_object(), "the KV store is in the document");
        item["patch"].is_object()
    }
}

/// Whether a node answers what is asked of a lease: a standby of some servers neither forwards it nor may
/// do it. Asked with the renewal of `lease`, which therefore must be one that can be renewed.
pub async fn serves_leases(api: &Api, lease: &str) -> bool {
    let body = json!({ "lease_id": lease });
    let mut refused = String::new();
    wait_until("the node knows the active one", SOON, async || {
        let renew = Some(body.clone());
        let reply = api.request(Method::PUT, "sys/leases/renew", renew).await;
        refused = match reply.is_ok() {
            true => String::new(),
            false => reply.body["errors"].to_string(),
        };
        !refused.contains("active cluster node not found")
    })
    .await;
    if refused.is_empty() {
        return true;
    }
    // It may not write, or it does not know of the lease yet.
    let known = ["storage is read-only", "lease not found"];
    assert!(known.iter().any(|text| refused.contains(text)), "{refused}");
    false
}
