//! Leases as Vault lists them.

use serde_json::json;

use crate::Api;

/// The ids of every lease under `prefix`, which ends with a slash.
pub async fn leases(api: &Api, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        for key in api
            .list(&format!("sys/leases/lookup/{folder}"))
            .await
            .keys()
        {
            let path = format!("{folder}{key}");
            if path.ends_with('/') {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

/// Revokes every lease under `prefix` and waits until Vault has done so.
pub async fn revoke_prefix(api: &Api, prefix: &str) {
    api.write(
        &format!("sys/leases/revoke-prefix/{}", prefix.trim_end_matches('/')),
        json!({ "sync": true }),
    )
    .await
    .ok();
}
