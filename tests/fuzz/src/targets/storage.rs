//! Entries in storage that are damaged, or of another version's layout: everything that reads them.

use serde_json::json;
use vault_plugin_secrets_astra::vault::Entry;

use crate::mount::Mount;
use crate::script::parts;

/// All that reads storage, in the order of harm.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("list", "config/", "{}"),
    ("read", "config", "{}"),
    ("list", "roles/", "{}"),
    ("read", "roles/reader", "{}"),
    ("read", "roles/custom", "{}"),
    ("list", "static-roles/", "{}"),
    ("read", "static-roles/batch", "{}"),
    ("read", "static-creds/batch", "{}"),
    ("read", "status", "{}"),
    ("read", "creds/reader", "{}"),
    ("read", "creds/custom", "{}"),
    ("list", "tokens/default/", "{}"),
    ("rollback", "", "{}"),
    ("read", "import", "{}"),
    ("update", "import", r#"{"dry_run":true}"#),
    ("update", "import", "{}"),
    (
        "read",
        "org/token",
        r#"{"org_id":"o","role_name":"r","logical_name":"l"}"#,
    ),
    (
        "update",
        "org/token",
        r#"{"org_id":"o","role_name":"r","logical_name":"l"}"#,
    ),
    ("update", "import", r#"{"finish":true,"force":true}"#),
    ("update", "tidy", "{}"),
    ("update", "rotate-role/batch", "{}"),
    ("patch", "static-roles/batch", r#"{"overlap":"1h"}"#),
    ("patch", "roles/reader", r#"{"ttl":"2h"}"#),
    ("patch", "roles/custom", r#"{"max_active":1}"#),
    ("patch", "config", r#"{"request_timeout":"10s"}"#),
    ("update", "rotate-root", "{}"),
    ("delete", "static-roles/batch", "{}"),
    ("delete", "roles/custom", "{}"),
    ("delete", "config", r#"{"force":true}"#),
    ("rollback", "", "{}"),
];

/// The bytes are parts: the storage key, and the entry at it.
pub fn run(input: &[u8]) {
    let mut mount = Mount::new(input);
    for part in parts(input) {
        let Ok(key) = std::str::from_utf8(part.head) else {
            return;
        };
        mount.put(Entry {
            key: key.to_owned(),
            value: part.body.to_vec(),
            seal_wrap: false,
        });
    }
    mount.restart();
    let lease = json!({
        "secret_type": "astra_token", "config": "default", "client_id": "a".repeat(24),
        "role": "reader",
    });
    mount.lease("renew", &lease.to_string());
    mount.lease("revoke", &lease.to_string());
    let of_version_2 = json!({
        "secret_type": "astra_token", "orgId": "o", "clientId": "b".repeat(24), "roleName": "r",
        "tokenId": "t",
    });
    let token = format!("AstraCS:{}:{}", "b".repeat(24), "3".repeat(64));
    let of_version_1 =
        json!({"secret_type": "astra_token", "orgId": "o", "token": token, "metadata": null});
    for old in [of_version_2, of_version_1] {
        mount.lease("renew", &old.to_string());
        mount.lease("revoke", &old.to_string());
    }
    for (operation, path, data) in REQUESTS {
        mount.request(operation, path, data);
    }
}
